"""Reads the ledger of a run: its traces, one JSON line each, in append-only segments.

A line ends in `,"seq":12,"crc32":"xxxxxxxx"}`, the store's envelope around a trace: the line's number in its
segment, and the CRC-32 of the bytes before `,"crc32":`.

What counts is decided by the newest epoch of a stage alone: it recorded, before it began, how many bytes of
each older segment are accepted. Bytes that a stopped and woken writer adds later are void.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import EpochRecord, Trace

_SEGMENT = re.compile(r"(?P<stage>[a-z]+)-e(?P<epoch>\d+)-(?P<number>\d+)\.jsonl")


_ENVELOPE = b',"crc32":"'
# The envelope, eight digits, a quote and the closing brace.
_TAIL_BYTES = len(_ENVELOPE) + 8 + 2
_NUMBER = re.compile(rb',"seq":[1-9]\d{0,14}\Z')


class LedgerError(Exception):
    """A line that counts is not what was written, or not a trace."""


@dataclass(frozen=True)
class Segment:
    """One file of the ledger; `accepted_bytes` None: all of its complete lines count."""

    path: Path
    stage: str
    epoch: int
    number: int
    accepted_bytes: int | None


def segments(run_dir: Path, stage: str | None = None) -> list[Segment]:
    """The segments that count, oldest first."""
    found = []
    records: dict[str, EpochRecord | None] = {}
    for path in (run_dir / "traces").glob("*.jsonl"):
        match = _SEGMENT.fullmatch(path.name)
        if match and stage in (None, match["stage"]):
            epoch = int(match["epoch"])
            segment = Segment(path, match["stage"], epoch, int(match["number"]), None)
            if segment.stage not in records:
                records[segment.stage] = newest_record(run_dir / segment.stage)
            accepted = _accepted(records[segment.stage], segment)
            if accepted is not False:
                found.append(Segment(path, segment.stage, epoch, segment.number, accepted))
    return sorted(found, key=lambda segment: (segment.stage, segment.epoch, segment.number))


def newest_record(stage_dir: Path) -> EpochRecord | None:
    """The record of the newest epoch that has a readable one; None where there is none.

    An epoch whose taker died before it wrote its record has made nothing void.
    """
    folders = [path for path in stage_dir.glob("epochs/[0-9]*") if path.name.isdigit()]
    for folder in sorted(folders, key=lambda path: int(path.name), reverse=True):
        try:
            return EpochRecord.model_validate_json((folder / "epoch.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            continue
    return None


def _accepted(record: EpochRecord | None, segment: Segment) -> int | bool | None:
    """Bytes that count, None for all complete lines, False for a segment of an epoch that never was."""
    if record is None or segment.epoch == record.epoch:
        return None
    if segment.epoch > record.epoch:
        return False
    return record.accepted_segments.get(segment.path.name, 0)


def without_checksum(line: bytes, where: str) -> bytes:
    """The JSON of the trace in a line of the ledger; raises LedgerError, naming `where`, if it is damaged."""
    text = line.removesuffix(b"\n")
    body, tail = text[:-_TAIL_BYTES], text[-_TAIL_BYTES:]
    if not body or not tail.startswith(_ENVELOPE) or not tail.endswith(b'"}'):
        raise LedgerError(f"{where}: expected a trace with its checksum, got none in {line[:60]!r}.")
    said, found = tail[len(_ENVELOPE) : -2], f"{zlib.crc32(body):08x}"
    if said != found.encode():
        raise LedgerError(
            f"{where}: expected a trace with its checksum, got bytes with the checksum {found} "
            f"under the checksum {said.decode(errors='replace')}. "
            "The next attempt at a stage moves what is damaged to quarantine/."
        )
    number = _NUMBER.search(body, max(0, len(body) - 24))
    if number is None:
        raise LedgerError(f"{where}: expected a trace with its sequence number, got none in {line[:60]!r}.")
    return body[: number.start()] + b"}"


def read_traces(
    run_dir: Path,
    *,
    stage: str | None = None,
    role: str | None = None,
    mode: str | None = None,
    verdict: str | None = None,
) -> Iterator[Trace]:
    """Stream the traces that count, in segment order, each key once; a filter of None lets all through.

    Raises LedgerError with file and line where a complete line is damaged or not a trace.
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
            body = without_checksum(line, f"{segment.path}:{number}")
            try:
                yield Trace.model_validate_json(body)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the line"
                raise LedgerError(
                    f"{segment.path}:{number}: expected a trace, got a problem in {where}: {first['msg']}."
                ) from error
