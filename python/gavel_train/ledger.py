"""Reads the ledger of a run: its traces, one JSON line each, in append-only segments.

What counts is decided by the newest epoch of a stage alone: it recorded, before it began, how many bytes of
each older segment are accepted. Bytes that a stopped and woken writer adds later are void.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import EpochRecord, Trace
from gavel_train.run_directory import newest_epoch

_SEGMENT = re.compile(r"(?P<stage>[a-z]+)(?:-e(?P<epoch>\d+))?-(?P<number>\d+)\.jsonl")


class LedgerError(Exception):
    """A line that counts is not a trace."""


@dataclass(frozen=True)
class Segment:
    """One file of the ledger; `accepted_bytes` None: all of its complete lines count."""

    path: Path
    stage: str
    epoch: int | None
    number: int
    accepted_bytes: int | None


def segments(run_dir: Path, stage: str | None = None) -> list[Segment]:
    """The segments that count, oldest first."""
    found = []
    for path in (run_dir / "traces").glob("*.jsonl"):
        match = _SEGMENT.fullmatch(path.name)
        if match and stage in (None, match["stage"]):
            epoch = None if match["epoch"] is None else int(match["epoch"])
            segment = Segment(path, match["stage"], epoch, int(match["number"]), None)
            accepted = _accepted(run_dir, segment)
            if accepted is not False:
                found.append(Segment(path, segment.stage, epoch, segment.number, accepted))
    return sorted(found, key=lambda segment: (segment.stage, segment.epoch or 0, segment.number))


def _accepted(run_dir: Path, segment: Segment) -> int | bool | None:
    """Bytes that count, None for all complete lines, False for a segment of an epoch that never was."""
    newest = newest_epoch(run_dir / segment.stage)
    if newest == 0 or segment.epoch is None or segment.epoch == newest:
        return None
    if segment.epoch > newest:
        return False
    path = run_dir / segment.stage / "epochs" / f"{newest:06d}" / "epoch.json"
    record = EpochRecord.model_validate_json(path.read_bytes())
    return record.accepted_segments.get(segment.path.name, 0)


def read_traces(
    run_dir: Path,
    *,
    stage: str | None = None,
    role: str | None = None,
    mode: str | None = None,
    verdict: str | None = None,
) -> Iterator[Trace]:
    """Stream the traces that count, in segment order, each key once; a filter of None lets all through.

    Raises LedgerError with file and line where a complete line is not a trace.
    """
    wanted = {"role": role, "mode": mode, "verdict": verdict}
    seen: set[str] = set()
    for segment in segments(run_dir, stage):
        for trace in _read(segment):
            if trace.key in seen:
                continue
            seen.add(trace.key)
            if all(value is None or getattr(trace, name) == value for name, value in wanted.items()):
                yield trace


def _read(segment: Segment) -> Iterator[Trace]:
    position = 0
    with segment.path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            position += len(line)
            torn = not line.endswith(b"\n")
            if torn or (segment.accepted_bytes is not None and position > segment.accepted_bytes):
                return
            try:
                yield Trace.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the line"
                raise LedgerError(
                    f"{segment.path}:{number}: expected a trace, got a problem in {where}: {first['msg']}."
                ) from error
