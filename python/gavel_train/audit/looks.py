"""Looks at a set of rows: how often it was audited, and what each further look costs.

Rows that were looked at before have shaped what is looked at now. The k-th look has intervals of confidence
1 - (1 - asked) / k^2, so that all looks together err at most pi^2 / 6 = 1.65 times as often as one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import LookLine
from gavel_train.run.directory import fsync_path, now


def take_look(path: Path, data_digest: str, asked_digest: str, run: str) -> int:
    """Note a look, unless the same was asked of these rows before, and return which one it is, from 1.

    Lines are only appended, and the number is read after that: of two audits at once each has its own.
    """
    if asked_digest not in _asked(path, data_digest):
        line = LookLine(at=now(), data_digest=data_digest, asked_digest=asked_digest, run=run)
        _append(path, line.model_dump_json() + "\n")
    return _asked(path, data_digest).index(asked_digest) + 1


def confidence_of_look(asked: float, look: int) -> float:
    """Level of the intervals of the k-th look."""
    return asked if look == 1 else 1 - (1 - asked) / look**2


def _asked(path: Path, data_digest: str) -> list[str]:
    """What was asked of these rows, each once, in the order of the first look."""
    found: dict[str, None] = {}
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, start=1):
        try:
            look = LookLine.model_validate_json(line)
        except ValidationError:
            # A process that was killed while it wrote has shown nobody what it saw.
            if line.strip():
                print(
                    f"{path}:{number}: expected a look, found a torn line; it is not counted.",
                    file=sys.stderr,
                )
            continue
        if look.data_digest == data_digest:
            found[look.asked_digest] = None
    return list(found)


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    # A torn line must not take the new one with it.
    start = "" if is_new or path.read_bytes()[-1:] in (b"", b"\n") else "\n"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, (start + line).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        fsync_path(path.parent)
