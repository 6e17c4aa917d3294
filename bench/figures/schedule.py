"""What a step takes at least where one judge serves the calls in turn: the list schedule."""

from __future__ import annotations

import random
from collections.abc import Sequence

# Of a step's service times, one call's at most.
LARGEST_SHARE = 0.02
_SPREAD = 0.25


def shares(calls: int) -> list[float]:
    """Return each call's share of a step's service times, which sum to 1; the same at every call.

    They lie evenly within 25% of their mean, in an order drawn once. Raises ValueError where one would be
    above `LARGEST_SHARE`.
    """
    largest = (1 + _SPREAD) / calls
    if largest > LARGEST_SHARE:
        raise ValueError(f"Expected calls of at most {LARGEST_SHARE} of a step, found {largest:.3f}.")
    spread = [(1 + _SPREAD * (2 * number / (calls - 1) - 1)) / calls for number in range(calls)]
    random.Random(0).shuffle(spread)
    return spread


def last_verdict(ends: Sequence[float], services: Sequence[float]) -> float:
    """Return when the last of these calls is served, each from when it is there, first come first served.

    `ends` are the times at which completions ended, in seconds; `services` what each takes the judge. It is
    the makespan of list scheduling on one machine with release dates (Graham 1969).
    """
    free = 0.0
    for end, service in sorted(zip(ends, services, strict=True)):
        free = max(free, end) + service
    return free
