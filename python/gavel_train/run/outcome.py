"""How a stage's process ends: typed errors, `outcome.json`, and the exit code that says the same."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import ValidationError

from gavel_train.contracts import Outcome, StageRequest
from gavel_train.run import lifetime, progress
from gavel_train.run.directory import Superseded, check_newest, keep_files_private, write_atomically

Status = Literal["done", "preempted", "bad_request", "judge_away", "policy_away", "failed"]
EXIT_CODES: dict[Status, int] = {
    "done": 0,
    "failed": 1,
    "bad_request": 2,
    "judge_away": 75,
    "policy_away": 75,
    "preempted": lifetime.EXIT_PREEMPTED,
}
_MESSAGE_CHARS = 500
# torch.save and safetensors have no errno: what they say when a write fails, by itself not why.
_WRITE_FAILED = ("PytorchStreamWriter", "unexpected pos", "No space left on device")
_NO_SPACE_BYTES = 2**20
# A full disk has no room for an outcome either: this one is written at the start, and renamed then.
_SPARE = "disk-full.json"


class BadRequest(Exception):
    """The spec or its data cannot be used: a retry cannot succeed, a person has to fix `field`."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field


class PolicyAway(Exception):
    """The policy's servers stayed away longer than the spec's limit; the stage can be resumed later."""


class JudgeAway(Exception):
    """The judge stayed away longer than the spec's limit; the stage can be resumed later."""


def run_stage(stage: str, body: Callable[[StageRequest, Path], None]) -> NoReturn:
    """Run `body(request, epoch_dir)` as the process of a stage, then write the outcome and exit.

    The epoch's folder is the only command line argument. Exits 0 done, 1 failed, 2 bad request,
    75 judge or policy away, 143 preempted.
    """
    if len(sys.argv) != 2:
        print(f"usage: python -m gavel_train.{stage} EPOCH_DIR", file=sys.stderr)
        raise SystemExit(2)
    keep_files_private()
    epoch_dir = Path(sys.argv[1]).resolve()
    progress.claim_stdout()
    try:
        lifetime.watch()
        if lifetime.rank() == 0:
            _clear_older_saves(epoch_dir)
            keep_spare(epoch_dir, _disk_full(""))
        body(read_request(epoch_dir, stage), epoch_dir)
        outcome = Outcome(status="done", message=f"{stage} is done", field=None)
    except BaseException as error:
        outcome = outcome_of(error, epoch_dir)
        if outcome.status in ("failed", "bad_request"):
            traceback.print_exc(file=sys.stderr)
    # A launcher asks the other ranks to end as soon as one has; what is left takes milliseconds.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if lifetime.rank() == 0:
        write_outcome(epoch_dir, outcome)
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


def outcome_of(error: BaseException, folder: Path = Path()) -> Outcome:
    """Map an exception to what the worker is told: one line, no traceback; `folder` is the epoch's."""
    if isinstance(error, lifetime.Preempted | KeyboardInterrupt):
        return Outcome(status="preempted", message="stopped on request", cause="preempted")
    superseded = error if isinstance(error, Superseded) else _superseded(folder)
    if superseded is not None:
        # Another attempt took its place: no fault of this one, and no attempt to count.
        return Outcome(status="preempted", message=_one_line(str(superseded)), cause="superseded")
    if isinstance(error, BadRequest):
        return Outcome(status="bad_request", message=_one_line(str(error)), field=error.field)
    if isinstance(error, JudgeAway):
        return Outcome(status="judge_away", message=_one_line(str(error)), field=None)
    if isinstance(error, PolicyAway):
        return Outcome(status="policy_away", message=_one_line(str(error)), field=None)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(f" while writing {error.filename}" if error.filename else "")
    if any(words in str(error) for words in _WRITE_FAILED) and _free_bytes(folder) < _NO_SPACE_BYTES:
        return _disk_full("")
    return Outcome(status="failed", message=_one_line(f"{type(error).__name__}: {error}"), cause="crashed")


def _superseded(epoch_dir: Path) -> Superseded | None:
    """Whether a newer epoch exists: it clears what this one was saving, which then fails in any way."""
    if not epoch_dir.name.isdigit():
        return None
    try:
        check_newest(epoch_dir.parent.parent, int(epoch_dir.name))
    except Superseded as error:
        return error
    return None


def _clear_older_saves(epoch_dir: Path) -> None:
    # A save that a kill cut short is of no use, and may be what fills the disk.
    for folder in ("work", "trainer", "adapters"):
        for saves in epoch_dir.parent.glob(f"[0-9]*/{folder}"):
            if saves.parent.name < epoch_dir.name:
                shutil.rmtree(saves, ignore_errors=True)


def _disk_full(where: str) -> Outcome:
    message = f"disk full{where}: free space, the last checkpoint is intact"
    return Outcome(status="failed", message=message, cause="disk_full")


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return sys.maxsize


def keep_spare(folder: Path, disk_full: Outcome) -> None:
    """Write the outcome of a full disk now, while there is room, for `write_outcome` to use."""
    with suppress(OSError):
        _write(folder / _SPARE, disk_full)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write `outcome.json`; on a full disk the spare one takes its place. Never raises OSError."""
    spare = folder / _SPARE
    try:
        _write(folder / "outcome.json", outcome)
        spare.unlink(missing_ok=True)
    except OSError as error:
        print(f"could not write {folder}/outcome.json: {error}; outcome: {outcome}", file=sys.stderr)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with suppress(OSError):
                spare.rename(folder / "outcome.json")


def _write(path: Path, outcome: Outcome) -> None:
    write_atomically(path, outcome.model_dump_json(indent=2) + "\n")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_CHARS else line[: _MESSAGE_CHARS - 3] + "..."
