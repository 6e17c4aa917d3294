"""How many prompts a bound needs, for a given probability that the interval clears it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scipy import optimize, special, stats

from gavel_train.audit.spread import Scale

# Above this a plan is of no use: no audit has so many prompts.
MOST_PROMPTS = 100_000_000

# What it costs that an audit estimates how alike rows of a prompt are: 3 to 7% in simulations.
_ESTIMATED = 1.05


@dataclass(frozen=True)
class Aim:
    """A bound, the value that is expected, and the wanted probability that its interval clears the bound."""

    bound: float
    expected: float
    is_upper: bool
    power: float
    confidence: float

    @property
    def is_on_the_right_side(self) -> bool:
        """Whether the expected value itself would pass."""
        return self.expected < self.bound if self.is_upper else self.expected > self.bound

    @property
    def tail(self) -> float:
        """Probability that one side of the interval leaves out."""
        return (1 - self.confidence) / 2


class Precision(Protocol):
    """How sharp an interval is, by prompts."""

    def prompts(self, aim: Aim) -> int | None:
        """The fewest prompts that reach the aim; None above MOST_PROMPTS."""
        ...


@dataclass(frozen=True)
class StandardError:
    """Of a t interval, on its scale: `of_one_prompt` is divided by the root of the prompts."""

    scale: Scale
    of_one_prompt: float

    def prompts(self, aim: Aim) -> int | None:
        """By the normal distribution of the point, against Student's t of the interval."""
        distance = abs(to_scale(self.scale, aim.expected) - to_scale(self.scale, aim.bound))
        low, high = 1, 2
        while not self._reaches(aim, distance, high):
            low, high = high, high * 2
            if high > MOST_PROMPTS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reaches(aim, distance, middle) else (middle, high)
        return high

    def _reaches(self, aim: Aim, distance: float, prompts: int) -> bool:
        critical = stats.t.ppf(1 - aim.tail, prompts - 1) + stats.norm.ppf(aim.power)
        return distance * math.sqrt(prompts) >= float(critical) * self.of_one_prompt


@dataclass(frozen=True)
class EffectiveRows:
    """Of an exact interval of a share: how many independent rows the rows of one prompt are worth."""

    of_one_prompt: float

    def prompts(self, aim: Aim) -> int | None:
        """The interval of the fewest rows that allow so many misses, if so few misses are likely enough.

        Between these numbers of rows the power falls: more rows allow no more misses.
        """
        bound, expected = (1 - aim.bound, 1 - aim.expected) if aim.is_upper else (aim.bound, aim.expected)
        if bound <= 0:
            return 1
        if bound >= 1:
            return None
        low, high = -1, 0
        while not self._reaches(aim, bound, expected, high):
            low, high = high, 2 * high + 1
            if high > MOST_PROMPTS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reaches(aim, bound, expected, middle) else (middle, high)
        needed = _rows_that_allow(high, bound, aim.tail) / self.of_one_prompt
        # The variance between P prompts has P - 1 degrees of freedom.
        return math.ceil(needed * _ESTIMATED) + 1

    def _reaches(self, aim: Aim, bound: float, expected: float, misses: int) -> bool:
        rows = _rows_that_allow(misses, bound, aim.tail)
        return _at_most(misses, rows, expected) >= aim.power


def _at_most(misses: float, rows: float, share: float) -> float:
    """Probability of so many misses or fewer, where each row is a hit with this share."""
    return float(special.betainc(rows - misses, misses + 1, share))


def _rows_that_allow(misses: int, bound: float, tail: float) -> float:
    """The fewest rows whose exact interval clears the bound with so many misses."""
    rarest = misses + 1e-9
    most = 2 * (misses + 10) / (1 - bound) + 10 / bound
    return _root(lambda rows: _at_most(misses, rows, bound) - tail, rarest, most)


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.root_scalar(of, bracket=(low, high), xtol=1e-9).root)


def to_scale(scale: Scale, value: float) -> float:
    """The scale on which an interval is symmetric; z of Fisher and the logit are atanh of a position."""
    # One step inside the ends, where z is infinite.
    most = 1 - 1e-9
    if scale == "fisher_z":
        return math.atanh(min(max(value, -most), most))
    if scale == "logit":
        return math.atanh(min(max(2 * value - 1, -most), most))
    return value


def slope(scale: Scale, value: float) -> float:
    """How fast the scale of the interval grows with the value."""
    if scale == "fisher_z":
        return 1 / max(1 - value**2, 1e-9)
    return 1 / max(2 * value * (1 - value), 1e-9) if scale == "logit" else 1.0


def effective_rows(point: float, bound: float, is_upper: bool, tail: float) -> float:
    """Independent rows whose exact interval around a share of `point` has this bound."""
    point, bound = (1 - point, 1 - bound) if is_upper else (point, bound)
    return _root(lambda rows: _at_most((1 - point) * rows, rows, bound) - tail, 1e-3, 1e12)
