"""The run directory as a stage's process sees it: names, durable writes, the fence, the result.

No locks: taking an epoch is one exclusive create by the worker, and whatever an older epoch writes
later is void. This process only has to look whether its epoch is still the newest before it publishes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from gavel_train.contracts import PromptRow, StageRequest, StageResult
from gavel_train.run.failpoints import failpoint

# Beside an epoch's result.json: the sha256 of its bytes, in hex.
RESULT_DIGEST = "result.sha256"

Row = TypeVar("Row", bound=BaseModel)


def keep_files_private() -> None:
    """Close the files and folders that this process makes from here on to all but its user."""
    os.umask(0o077)


class Superseded(Exception):
    """A newer epoch of the stage exists: nothing that this process writes counts any more."""


def now() -> str:
    """Return the time as the contracts write it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_dir_of(request: StageRequest) -> Path:
    """Return the run's folder; `run_dir` in a request may be relative to the root."""
    return Path(request.root) / request.run_dir


def resolve(root: str | Path, path: str) -> Path:
    """Resolve a path of the spec: under GAVEL_ROOT unless absolute."""
    return Path(root) / path


def checkpoint_name(step: int, epoch: int) -> str:
    """Name a checkpoint after its step and the epoch that wrote it."""
    return f"step-{step:06d}.e{epoch}"


def newest_epoch(stage_dir: Path) -> int:
    """Return the number of the stage's newest epoch, 0 if none was taken.

    The folder is the fence: its exclusive create comes before the record in it.
    """
    return max((int(path.name) for path in stage_dir.glob("epochs/[0-9]*") if path.name.isdigit()), default=0)


def check_newest(stage_dir: Path, epoch: int) -> None:
    """Raise Superseded if a newer epoch than `epoch` was taken."""
    newest = newest_epoch(stage_dir)
    if newest > epoch and not failpoint("skip-fence"):
        raise Superseded(f"{stage_dir}: epoch {epoch} was superseded by epoch {newest}")


def check_not_published(stage_dir: Path, epoch: int) -> None:
    """Raise Superseded if a newer epoch was taken, or a result is there that no epoch up to this one wrote.

    To be asked before anything is replaced whose place is outside the epoch's folder: what a published
    result names is not this process's to change. A result of an older epoch is void since this one exists.
    """
    check_newest(stage_dir, epoch)
    try:
        found = json.loads((stage_dir / "result.json").read_bytes()).get("epoch")
    except FileNotFoundError:
        return
    except (ValueError, AttributeError):
        found = None
    if not isinstance(found, int) or found > epoch:
        by = f"by epoch {found} already" if isinstance(found, int) else "and cannot be read"
        raise Superseded(f"{stage_dir}/result.json: published {by}")


def fsync_path(path: Path) -> None:
    """Make a file's content, or a folder's list of names, durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, text: str | bytes) -> None:
    """Replace `path` by a durable file: readers see the old content or the new, never a part."""
    data = text.encode() if isinstance(text, str) else text
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def write_rows(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write models as JSON lines, atomically."""
    write_atomically(path, "".join(row.model_dump_json(by_alias=True) + "\n" for row in rows))


def read_rows(path: Path, model: type[Row]) -> list[Row]:
    """Read JSON lines, naming the file and line of the first bad one."""
    return list(each_row(path, model))


def each_row(path: Path, model: type[Row]) -> Iterator[Row]:
    """Read JSON lines one by one, for files whose rows would fill the memory."""
    for number, line in _lines(path):
        yield _parse(line, model, path, number)


def read_prompts(run_dir: Path, split: str) -> list[PromptRow]:
    """Read data/<split>.jsonl: train, eval or audit."""
    return read_rows(run_dir / "data" / f"{split}.jsonl", PromptRow)


def sha256_of(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def artifact_digest(path: Path) -> str:
    """Return the sha256 of a file's content, or of a folder's sorted lines `<relative path> <sha256>`.

    Hidden files do not count: download tools and git keep notes there that differ between equal copies.
    Raises FileNotFoundError.
    """
    if not path.is_dir():
        return sha256_of(path)
    files = {found.relative_to(path): found for found in path.rglob("*") if not found.is_dir()}
    counted = [(name.as_posix(), file) for name, file in files.items() if not _hidden(name)]
    lines = sorted(f"{name} {sha256_of(file)}\n" for name, file in counted)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def publish_result(
    request: StageRequest,
    *,
    step: int,
    checkpoint: str | None,
    metrics: Mapping[str, float | None],
    artifacts: Mapping[str, Path],
) -> Path:
    """Publish `<stage>/result.json`, once and only by the newest epoch; raises Superseded otherwise.

    The link is an exclusive create of a file that is already complete and durable, and so is its digest,
    `result.sha256` in the epoch's folder. A result of this very epoch may be there when a process was
    killed right after publishing, and one of an older epoch that published after this one was taken:
    what this one says takes its place. Raises FileNotFoundError for an artifact that is not there.
    """
    run_dir = run_dir_of(request)
    stage_dir = run_dir / request.stage
    result = StageResult(
        stage=request.stage,
        epoch=request.epoch,
        step=step,
        checkpoint=checkpoint,
        metrics=dict(metrics),
        artifacts={name: str(path.relative_to(run_dir)) for name, path in artifacts.items()},
        digests={name: artifact_digest(path) for name, path in artifacts.items()},
        finished_at=now(),
    )
    own = stage_dir / "epochs" / f"{request.epoch:06d}" / "result.json"
    data = (result.model_dump_json(indent=2) + "\n").encode()
    write_atomically(own, data)
    write_atomically(own.with_name(RESULT_DIGEST), hashlib.sha256(data).hexdigest() + "\n")
    check_newest(stage_dir, request.epoch)
    final = stage_dir / "result.json"
    try:
        if failpoint("replace-result"):
            own.replace(final)
        else:
            create_exclusively(own, final)
    except FileExistsError:
        check_not_published(stage_dir, request.epoch)
        write_atomically(final, data)
    fsync_path(stage_dir)
    return final


def create_exclusively(complete: Path, final: Path) -> None:
    """Give a finished file its public name, unless that is taken (FileExistsError)."""
    try:
        os.link(complete, final)
    except FileExistsError:
        raise
    except OSError:
        # On a filesystem without hard links the create is still exclusive, and the content follows it.
        with final.open("xb") as file:
            file.write(complete.read_bytes())
            file.flush()
            os.fsync(file.fileno())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _parse(line: str, model: type[Row], path: Path, number: int) -> Row:
    try:
        return model.model_validate_json(line)
    except ValueError as error:
        reason = str(error).splitlines()
        raise ValueError(
            f"{path}:{number}: expected a {model.__name__}, got {' '.join(reason[:3])}"
        ) from None
