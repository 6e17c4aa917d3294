"""Reads the ledger of a run: its traces, one JSON line each, in append-only segments.

A line ends in `,"seq":12,"crc32":"xxxxxxxx"}`, the store's envelope around a trace: the line's number in its
segment, and the CRC-32 of the bytes before `,"crc32":`.

Which bytes of which segment count is decided in src/ledger; a reader is given the list, as it was when its
attempt began.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

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


def read_traces(
    run_dir: Path,
    ledger: Sequence[LedgerSegment],
    *,
    stage: str | None = None,
    role: str | None = None,
    mode: str | None = None,
    verdict: str | None = None,
) -> Iterator[Trace]:
    """Stream the traces of `ledger`, in its order, each key once; a filter of None lets all through.

    Raises LedgerError with file and line where a complete line is damaged or not a trace.
    """
    wanted = {"role": role, "mode": mode, "verdict": verdict}
    seen: set[str] = set()
    for segment in ledger:
        if stage not in (None, segment.stage):
            continue
        for trace in _read(run_dir / segment.path, segment.bytes):
            if trace.key in seen:
                continue
            seen.add(trace.key)
            if all(value is None or getattr(trace, name) == value for name, value in wanted.items()):
                yield trace


def _read(path: Path, accepted_bytes: int) -> Iterator[Trace]:
    position = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            position += len(line)
            if position > accepted_bytes:
                return
            body = without_checksum(line, f"{path}:{number}")
            try:
                yield Trace.model_validate_json(body)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the line"
                raise LedgerError(
                    f"{path}:{number}: expected a trace, got a problem in {where}: {first['msg']}."
                ) from error
    if position < accepted_bytes:
        raise LedgerError(f"{path}: expected {accepted_bytes} bytes, got {position}.")
