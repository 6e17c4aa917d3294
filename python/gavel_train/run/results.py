"""Results of other stages, checked before use against the digests that were published with them."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import StageResult
from gavel_train.run.directory import RESULT_DIGEST, artifact_digest, newest_epoch


class ResultDamaged(Exception):
    """A result, or an artifact of it, is not what the newest epoch published: its stage must run again."""


def read_result(run_dir: Path, stage: str) -> StageResult:
    """Read `<stage>/result.json`; raises FileNotFoundError, ResultDamaged if it is not as published."""
    path = run_dir / stage / "result.json"
    data = path.read_bytes()
    try:
        result = StageResult.model_validate_json(data)
    except ValidationError as error:
        raise ResultDamaged(
            f"{path}: expected the result of stage {stage}, got {error.errors()[0]['msg']}."
        ) from None
    newest = newest_epoch(run_dir / stage)
    if result.epoch != newest:
        raise ResultDamaged(
            f"{path}: expected the result of epoch {newest}, the newest, got that of epoch {result.epoch}, "
            "which was superseded."
        )
    signed = run_dir / stage / "epochs" / f"{result.epoch:06d}" / RESULT_DIGEST
    expected = signed.read_text(errors="replace").strip() if signed.is_file() else "none"
    found = hashlib.sha256(data).hexdigest()
    if expected != found:
        raise ResultDamaged(f"{path}: expected its sha256 in {signed}, found {expected}, got {found}.")
    return result


def read_artifact(run_dir: Path, result: StageResult, name: str) -> Path:
    """Return the path of an artifact after checking what it holds; raises KeyError, ResultDamaged."""
    path = run_dir / result.artifacts[name]
    try:
        found = artifact_digest(path)
    except FileNotFoundError:
        found = "no such file"
    expected = result.digests.get(name, "none")
    if found != expected:
        raise ResultDamaged(
            f"{path}: expected the {name} of stage {result.stage} with sha256 {expected}, got {found}."
        )
    return path
