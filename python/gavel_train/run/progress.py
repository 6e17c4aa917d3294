"""Progress lines: one JSON object a line on the real standard output, and nothing else there."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from gavel_train.contracts import AlarmLine, CommitLine, PhaseLine, ResumedLine, WaitingLine
from gavel_train.run.lifetime import rank

Metrics = Mapping[str, float | None]

_lock = threading.Lock()
_stdout_fd: int | None = None


def claim_stdout() -> None:
    """Keep the real standard output for progress lines; whatever else is printed becomes log (stderr).

    The descriptor itself is moved, so that native libraries and child processes cannot corrupt the lines.
    """
    global _stdout_fd
    if _stdout_fd is not None:
        return
    sys.stdout.flush()
    _stdout_fd = os.dup(1)
    os.set_inheritable(_stdout_fd, False)
    os.dup2(2, 1)
    sys.stdout = sys.stderr


def progress(phase: str, step: int, total: int, metrics: Metrics | None = None) -> None:
    """Report how far a phase (load, train, sample, grade, compute) is."""
    _emit(
        PhaseLine(event="progress", phase=phase, step=step, total=total, metrics=finite(metrics or {})),
    )


def commit(checkpoint: str, step: int, metrics: Metrics | None = None) -> None:
    """Report that a checkpoint is durable."""
    _emit(CommitLine(event="commit", checkpoint=checkpoint, step=step, metrics=finite(metrics or {})))


def waiting(what: Literal["judge", "gateway", "policy", "gpu"], seconds: float) -> None:
    """Report a wait, which suspends the progress deadline.

    Any rank may: the others wait for it in a collective, without a word.
    """
    _write(WaitingLine.model_validate({"event": "waiting", "for": what, "seconds": round(seconds, 1)}))


def resumed(checkpoint: str, step: int) -> None:
    """Report which checkpoint this process goes on from."""
    _emit(ResumedLine(event="resumed", checkpoint=checkpoint, step=step))


def alarm(name: Literal["sampler_drift"], step: int, message: str) -> None:
    """Report that the training runs but is going wrong."""
    _emit(AlarmLine(event="alarm", alarm=name, step=step, message=message))


def finite(metrics: Metrics) -> dict[str, float | None]:
    """Replace NaN and infinity by None: JSON has neither."""
    return {k: v if v is not None and math.isfinite(v) else None for k, v in metrics.items()}


def _emit(line: BaseModel) -> None:
    if rank() == 0:
        _write(line)


def _write(line: BaseModel) -> None:
    data = line.model_dump_json(by_alias=True).encode() + b"\n"
    with _lock:
        fd = 1 if _stdout_fd is None else _stdout_fd
        try:
            while data:
                data = data[os.write(fd, data) :]
        except BrokenPipeError:
            # The worker is gone; the stdin watch ends this process.
            return
