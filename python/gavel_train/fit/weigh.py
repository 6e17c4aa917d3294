"""Holds an estimate against what a machine has, and finds the change of a spec that makes it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from gavel_train.contracts import FitChange

Verdict = Literal["fits", "tight", "too_large", "unknown"]

# `tests/fit` holds estimates to a fifth of what was measured.
TOLERANCE = 1.2


def verdict_of(needed: int, available: int | None) -> Verdict:
    """Say whether an estimate fits; where it may be wrong by its tolerance, only that it is tight."""
    if available is None:
        return "unknown"
    if needed > available * TOLERANCE:
        return "too_large"
    return "tight" if needed * TOLERANCE > available else "fits"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a whole: that of its worst part."""
    found = set(verdicts)
    order: tuple[Verdict, ...] = ("too_large", "unknown", "tight", "fits")
    for one in order:
        if one in found:
            return one
    return "fits"


def largest_micro_batch(rows: int, needed: Callable[[int], int], available: int) -> int:
    """Return the largest divisor of a rank's `rows` whose estimate fits; 1 where none does."""
    divisors = [size for size in range(1, rows + 1) if rows % size == 0]
    fitting = [size for size in divisors if verdict_of(needed(size), available) == "fits"]
    return max(fitting, default=1)


def changes(
    candidates: Iterable[tuple[str, str, int]], needed: int, available: int | None
) -> list[FitChange]:
    """Keep the candidates (field, value, bytes) that need less: those that fit first, in the order given."""
    made = [
        FitChange(field=field, value=value, bytes=size, fits=available is not None and size <= available)
        for field, value, size in candidates
        if size < needed
    ]
    return sorted(made, key=lambda change: (not change.fits, 0 if change.fits else change.bytes))


def gib(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"
