"""Looks at a set of rows: how often it was audited, and what each further look costs.

Rows that were looked at before have shaped what is looked at now. The k-th look has intervals of confidence
1 - (1 - asked) / k^2, so that all looks together err at most pi^2 / 6 = 1.65 times as often as one. Rows on
prompts that were looked at before are no fresh rows, whether they are a part of the former ones or more.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import LookLine
from gavel_train.run.directory import fsync_path, now

# At the largest size one line has 4 kB, and a share of common prompts is known to a few hundredths.
_SKETCH = 256
_DIGITS = 12
# From this share of common prompts on, a former look counts as one at these rows.
_SAME = 0.1


@dataclass(frozen=True)
class Look:
    """What is looked at, and what is asked of it: the same digests again are the same look."""

    data_digest: str
    asked_digest: str
    prompts: Sequence[str]
    run: str


def sketch(prompt_ids: Iterable[str]) -> list[str]:
    """The smallest hashes of the prompts: a sample in which rows with the same prompts have the same ones."""
    hashes = {hashlib.sha256(one.encode()).hexdigest()[:_DIGITS] for one in prompt_ids}
    return sorted(hashes)[:_SKETCH]


def take_look(path: Path, look: Look) -> int:
    """Note a look, unless the same was asked of these rows before, and return which one it is, from 1.

    Lines are only appended, and the number is read after that: of two audits at once each has its own.
    """
    this = (look.data_digest, look.asked_digest)
    if this not in _taken(path, look):
        line = LookLine(
            at=now(),
            data_digest=look.data_digest,
            asked_digest=look.asked_digest,
            prompts=list(look.prompts),
            run=look.run,
        )
        _append(path, line.model_dump_json() + "\n")
    return _taken(path, look).index(this) + 1


def confidence_of_look(asked: float, look: int) -> float:
    """Level of the intervals of the k-th look."""
    return asked if look == 1 else 1 - (1 - asked) / look**2


def _taken(path: Path, look: Look) -> list[tuple[str, str]]:
    """Digests of the looks at these prompts, each once, in the order of the first one."""
    found: dict[tuple[str, str], None] = {}
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, start=1):
        try:
            former = LookLine.model_validate_json(line)
        except ValidationError:
            # A process that was killed while it wrote this line had not shown its audit yet.
            if line.strip():
                print(
                    f"{path}:{number}: expected a look, found a torn line; it is not counted.",
                    file=sys.stderr,
                )
            continue
        if former.data_digest == look.data_digest or _overlap(former.prompts, look.prompts):
            found[former.data_digest, former.asked_digest] = None
    return list(found)


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether so many of the prompts of the smaller set are in the other that a look at one is one at both.

    A full sketch says nothing of hashes beyond its last one, so that only those below are compared: of a set
    of 50 prompts and one of 1,000 that holds it, the sketches share about 13, which are all below.
    """
    last = min((full[-1] for full in (one, other) if len(full) == _SKETCH), default=None)
    if last is not None:
        one, other = (part[: bisect.bisect_right(part, last)] for part in (one, other))
    shared = len(set(one) & set(other))
    return shared > 0 and shared >= _SAME * min(len(one), len(other))


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
