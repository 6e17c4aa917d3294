"""Audit of any endpoint, whether or not gavel trained it: `python -m gavel_train.audit.external OUT_DIR`.

Reads OUT_DIR/request.json, grades the rows through the gateway that it names, writes verdicts and
OUT_DIR/audit.json, and OUT_DIR/outcome.json last. Exits like a stage: 0 done, 2 bad request, 75 judge away.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from gavel_train.audit.compute import Inputs, compute_audit
from gavel_train.audit.truth import truths
from gavel_train.contracts import AuditRow, ExternalAuditRequest, ExternalAuditRow, Outcome, VerdictRow
from gavel_train.grader.lessons import prompt_hash
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import Mode, Role, grade_rows
from gavel_train.run import lifetime, progress
from gavel_train.run.directory import read_rows, write_atomically
from gavel_train.run.outcome import EXIT_CODES, BadRequest, outcome_of
from gavel_train.tasks import gsm8k_verifier

Model = TypeVar("Model", bound=BaseModel)

# The gateway has its own limit for each role; this only keeps enough calls at its door.
_CALLS_IN_FLIGHT = 256


def run(folder: Path) -> None:
    """Audit the rows that a request names and write audit.json beside it."""
    request = _parse(ExternalAuditRequest, _read(folder / "request.json"), str(folder / "request.json"))
    rows = read_external_rows(folder / request.rows)
    headline = request.headline_mode or request.modes[0]
    modes: list[Mode] = list(dict.fromkeys([headline, *request.modes]))
    asked: list[tuple[Role, Mode]] = [("grader", mode) for mode in modes]
    if request.judge_mode is not None:
        asked.append(("judge", request.judge_mode))
    if request.base:
        asked.append(("base", headline))
    key = os.environ.get("GAVEL_API_KEY")
    if not key:
        raise BadRequest(None, "Expected the gateway's key in GAVEL_API_KEY, found none.")
    client = GatewayClient(str(request.gateway_url), key, concurrency=_CALLS_IN_FLIGHT)
    passes, verdicts = [], {}
    for role, mode in asked:
        passes.append(grade_rows(client, rows, role, mode, out=folder, run_dir=folder, segments="*.jsonl"))
        path = folder / f"verdicts-{role}-{mode}.jsonl"
        verdicts[role, mode] = {verdict.row_id: verdict for verdict in read_rows(path, VerdictRow)}
    client.close()
    progress.progress("compute", 0, 1)
    audit = compute_audit(
        Inputs(
            run=request.run,
            rows=rows,
            truths=truths(rows, equal_answers),
            verdicts=verdicts,
            headline_mode=headline,
            judge_mode=request.judge_mode,
            samples=request.bootstrap_samples,
            confidence=request.confidence,
            seed=request.seed,
            gates=request.gates,
            threshold=request.threshold,
            reference_guided=request.reference_guided,
            passes=passes,
        )
    )
    write_atomically(folder / "audit.json", audit.model_dump_json(indent=2) + "\n")
    progress.progress("compute", 1, 1)


def read_external_rows(path: Path) -> list[AuditRow]:
    """Read a user's rows; raises BadRequest naming the line, the field, and what was expected."""
    rows: list[AuditRow] = []
    seen: set[str] = set()
    for number, line in enumerate(_read(path).decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        row = _parse(ExternalAuditRow, line.encode(), f"{path}:{number}")
        if row.id in seen:
            raise BadRequest("rows", f"{path}:{number}: expected a new id, found {row.id!r} again.")
        seen.add(row.id)
        rows.append(
            AuditRow(
                id=row.id,
                prompt_id=prompt_hash(row.prompt)[:16],
                prompt=row.prompt,
                completion=row.completion,
                ground_truth=row.ground_truth,
                is_correct=row.is_correct,
                source=row.source or path.name,
            )
        )
    if not rows:
        raise BadRequest(
            "rows", f"{path}: expected rows {{id, prompt, completion, ...}}, found an empty file."
        )
    return rows


def equal_answers(completion: str, ground_truth: str) -> bool | None:
    """Whether a completion is the ground truth, or ends in it where the whole truth is a number.

    None where the truth is text that the completion holds among other words: "It is not Paris" holds
    "Paris" too, and whether it is right takes more than a comparison.
    """
    if gsm8k_verifier.number_of_truth(ground_truth) is not None:
        return gsm8k_verifier.verify(completion, ground_truth, "lenient")
    said, truth = _evened(completion), _evened(ground_truth)
    if said == truth:
        return True
    return None if truth in said else False


def _evened(text: str) -> str:
    """A text without what does not count in a comparison: case, white space, a full stop at its end."""
    return " ".join(text.casefold().split()).rstrip(".")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadRequest("rows", f"Expected a readable file at {path}, found: {error.strerror}.") from error


def _parse(model: type[Model], text: bytes, where: str) -> Model:
    """Validate JSON; what the contract lets people leave out becomes null."""
    try:
        given: Any = json.loads(text)
    except ValueError as error:
        raise BadRequest("rows", f"{where}: expected JSON, found: {error}.") from error
    if not isinstance(given, dict):
        raise BadRequest("rows", f"{where}: expected an object, found {type(given).__name__}.")
    optional = {
        name: None
        for name, field in model.model_fields.items()
        if name not in given and type(None) in getattr(field.annotation, "__args__", ())
    }
    try:
        return model.model_validate(given | optional)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the object"
        raise BadRequest("rows", f"{where}: {name}: {first['msg']}.") from error


def main() -> NoReturn:
    """Run as a process: progress on standard output, outcome.json and an exit code at the end."""
    if len(sys.argv) != 2:
        print("usage: python -m gavel_train.audit.external OUT_DIR", file=sys.stderr)
        raise SystemExit(2)
    folder = Path(sys.argv[1]).resolve()
    progress.claim_stdout()
    try:
        lifetime.watch()
        run(folder)
        outcome = Outcome(status="done", message="the audit is done", field=None)
    except BaseException as error:
        outcome = outcome_of(error)
        if outcome.status == "failed":
            traceback.print_exc(file=sys.stderr)
    if folder.is_dir():
        write_atomically(folder / "outcome.json", outcome.model_dump_json(indent=2) + "\n")
    sys.stderr.flush()
    # As stages do: threads of the gateway client must not keep a finished process.
    os._exit(EXIT_CODES[outcome.status])


if __name__ == "__main__":
    main()
