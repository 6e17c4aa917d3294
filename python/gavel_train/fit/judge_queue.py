"""When a step's last verdict is there: the judge is a queue that completions enter as they end."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable


def last_verdict_s(ends_s: Iterable[float], slots: int, service_s: float) -> float:
    """Return when the last of the calls has been answered, each begun as soon as one of `slots` is free.

    `ends_s` says when each completion ends; times count from the begin of the rollout.
    """
    free = [0.0] * slots
    last = 0.0
    for end in sorted(ends_s):
        answered = max(end, heapq.heappop(free)) + service_s
        heapq.heappush(free, answered)
        last = max(last, answered)
    return last


def lengths(rows: int, mean: float, longest: int) -> list[float]:
    """Return `rows` lengths of completions, ascending, of which none is longer than `longest`.

    They are quantiles of an exponential distribution that is cut off there and has the mean `mean`:
    at every token the same share of the completions ends.
    """
    rate = _rate(min(mean, longest * 0.999999) / longest)
    quantiles = [(number + 0.5) / rows for number in range(rows)]
    return [longest * min(1.0, -math.log1p(-at) / rate) if rate > 0 else float(longest) for at in quantiles]


def _rate(share: float) -> float:
    """Return the rate at which the mean of an exponential, cut off at 1, is `share`: (1 - e^-r) / r."""
    low, high = 1e-9, 1e6
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if -math.expm1(-middle) / middle > share else (low, middle)
    return low
