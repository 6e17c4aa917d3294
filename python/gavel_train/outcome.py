"""How a stage's process ends: typed errors, `outcome.json`, and the exit code that says the same."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import ValidationError

from gavel_train import lifetime, progress
from gavel_train.contracts import Outcome, StageRequest
from gavel_train.run_directory import write_atomically

Status = Literal["done", "preempted", "bad_request", "judge_away", "failed"]
EXIT_CODES: dict[Status, int] = {
    "done": 0,
    "failed": 1,
    "bad_request": 2,
    "judge_away": 75,
    "preempted": lifetime.EXIT_PREEMPTED,
}
_MESSAGE_CHARS = 500


class BadRequest(Exception):
    """The spec or its data cannot be used: retrying is useless, a person has to mend `field`."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field


class JudgeAway(Exception):
    """The judge stayed away longer than the spec's limit; the stage can be resumed later."""


def run_stage(stage: str, body: Callable[[StageRequest, Path], None]) -> NoReturn:
    """Run `body(request, epoch_dir)` as the process of a stage, then write the outcome and exit.

    The epoch's folder is the only command line argument. Exits 0 done, 1 failed, 2 bad request,
    75 judge away, 143 preempted.
    """
    if len(sys.argv) != 2:
        print(f"usage: python -m gavel_train.{stage} EPOCH_DIR", file=sys.stderr)
        raise SystemExit(2)
    epoch_dir = Path(sys.argv[1]).resolve()
    progress.claim_stdout()
    try:
        lifetime.watch()
        body(read_request(epoch_dir, stage), epoch_dir)
        outcome = Outcome(status="done", message=f"{stage} is done", field=None)
    except BaseException as error:
        outcome = outcome_of(error)
        if outcome.status in ("failed", "bad_request"):
            traceback.print_exc(file=sys.stderr)
    # A launcher asks the other ranks to end as soon as one has; what is left takes milliseconds.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if lifetime.rank() == 0:
        _write_outcome(epoch_dir, outcome)
    sys.stderr.flush()
    # Not sys.exit: threads of the gateway client and of torch must not keep or crash a finished process.
    os._exit(EXIT_CODES[outcome.status])


def read_request(epoch_dir: Path, stage: str) -> StageRequest:
    """Read and check `request.json`."""
    path = epoch_dir / "request.json"
    try:
        request = StageRequest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadRequest(None, f"{path}: expected the stage's request, found no such file") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadRequest(field.removeprefix("spec."), f"{path}: {field}: {first['msg']}") from None
    if request.stage != stage:
        raise BadRequest("stage", f"{path}: expected stage {stage}, found {request.stage}")
    return request


def outcome_of(error: BaseException) -> Outcome:
    """Map an exception to what the worker is told: one line, no traceback."""
    if isinstance(error, lifetime.Preempted | KeyboardInterrupt):
        return Outcome(status="preempted", message="stopped on request", field=None)
    if isinstance(error, BadRequest):
        return Outcome(status="bad_request", message=_one_line(str(error)), field=error.field)
    if isinstance(error, JudgeAway):
        return Outcome(status="judge_away", message=_one_line(str(error)), field=None)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return Outcome(
            status="failed",
            message=f"disk full{where}: free space, the last checkpoint is intact",
            field=None,
        )
    return Outcome(status="failed", message=_one_line(f"{type(error).__name__}: {error}"), field=None)


def _write_outcome(epoch_dir: Path, outcome: Outcome) -> None:
    try:
        write_atomically(epoch_dir / "outcome.json", outcome.model_dump_json(indent=2) + "\n")
    except OSError as error:
        # A full disk may be the very reason: the exit code and the log still tell.
        print(f"could not write {epoch_dir}/outcome.json: {error}; outcome: {outcome}", file=sys.stderr)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_CHARS else line[: _MESSAGE_CHARS - 3] + "..."
