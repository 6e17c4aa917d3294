"""Reads the ledger of a run: its traces, one JSON line each, in append-only segments.

A line ends in `,"seq":12,"crc32":"xxxxxxxx"}`, the store's envelope around a trace: the line's number in its
segment, and the CRC-32 of the bytes before `,"crc32":`.

Which bytes of which segment count is decided in src/ledger; a reader is given the list, as it was when its
attempt began.
"""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from gavel_train.contracts import LedgerSegment, Trace

_ENVELOPE = b',"crc32":"'
# The envelope, eight digits, a quote and the closing brace.
_TAIL_BYTES = len(_ENVELOPE) + 8 + 2
_NUMBER = re.compile(rb',"seq":[1-9]\d{0,14}\Z')


class LedgerError(Exception):
    """A line that counts is not what was written, or not a trace."""


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


@dataclass(frozen=True, slots=True)
class PlacedTrace:
    """A trace, and where its line is: file, first byte, bytes with the newline."""

    trace: Trace
    path: Path
    start: int
    length: int


def read_traces(
    run_dir: Path,
    ledger: Sequence[LedgerSegment],
    *,
    stage: str | None = None,
    role: str | None = None,
    mode: str | None = None,
    verdict: str | None = None,
) -> Iterator[PlacedTrace]:
    """Stream the traces of `ledger`, in its order, each key once; a filter of None lets all through.

    Raises LedgerError with file and line where a complete line is damaged or not a trace.
    """
    wanted = [
        (name, value)
        for name, value in (("role", role), ("mode", mode), ("verdict", verdict))
        if value is not None
    ]
    # As numbers they take a third of the memory of their digits.
    seen: set[int] = set()
    for segment in ledger:
        if stage not in (None, segment.stage):
            continue
        for placed in _read(run_dir / segment.path, segment.bytes):
            key = int(placed.trace.key, 16)
            if key in seen:
                continue
            seen.add(key)
            if all(getattr(placed.trace, name) == value for name, value in wanted):
                yield placed


def read_trace(lines: BinaryIO, path: Path, start: int, length: int) -> Trace:
    """Read one trace of an open segment again; raises LedgerError where it is not what was written."""
    return _parsed(os.pread(lines.fileno(), length, start), f"{path}, byte {start}")


def _read(path: Path, accepted_bytes: int) -> Iterator[PlacedTrace]:
    position = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            start = position
            position += len(line)
            if position > accepted_bytes:
                return
            yield PlacedTrace(_parsed(line, f"{path}:{number}"), path, start, len(line))
    if position < accepted_bytes:
        raise LedgerError(f"{path}: expected {accepted_bytes} bytes, got {position}.")


def _parsed(line: bytes, where: str) -> Trace:
    body = without_checksum(line, where)
    try:
        return Trace.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise LedgerError(f"{where}: expected a trace, got a problem in {field}: {first['msg']}.") from error
