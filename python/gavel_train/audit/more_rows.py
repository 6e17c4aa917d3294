"""How many more rows would settle an open gate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from gavel_train.audit.intervals import LEAST_PROMPTS
from gavel_train.audit.scope import Scope
from gavel_train.contracts import GateSpec, MeasureRecord

# Probability that so many rows settle the gate if the point is true.
_POWER = 0.8

# Methods of intervals that no prompt widens: what was not seen decides their width.
_UNVARIED = ("no prompt changes the value", "Clopper-Pearson, prompts as trials")


@dataclass(frozen=True)
class More:
    """Rows to audit besides those of the audit, and the prompts that they are on."""

    rows: int
    prompts: int

    def __str__(self) -> str:
        return f"{self.rows:,} more row{_s(self.rows)} on {self.prompts:,} more prompt{_s(self.prompts)}"


def bound_of(gate: GateSpec) -> float:
    """The bound of a gate; raises ValueError where it has none."""
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    if bound is None:
        raise ValueError(f"Expected at_least or at_most in gate {gate.id}, found neither.")
    return bound


def more_rows(record: MeasureRecord, gate: GateSpec, scope: Scope) -> More | None:
    """Rows, like the audited ones, that settle an open gate with 80% power if the point is true.

    None: no number can be given. The audit of all of them is a further look, whose intervals are wider.
    """
    point, low, high, bound = record.point, record.low, record.high, bound_of(gate)
    if point is None or low is None or high is None or point == bound or record.prompts < 2:
        return None
    width = point - low if point > bound else high - point
    distance = abs(point - bound)
    growth = max(_growth(record, width / distance, scope), LEAST_PROMPTS / record.prompts)
    return More(_further(scope.rows, growth), _further(scope.prompts, growth))


def _growth(record: MeasureRecord, ratio: float, scope: Scope) -> float:
    """Times as many rows, where the interval is `ratio` times as wide as the distance to the bound.

    A standard error falls with the root of the rows, and the point varies by it: power takes
    ((t + z_power) / t)^2 as many. Where no prompt changes the value, the width is log(2 / alpha) / P.
    """
    now, then = scope.confidence, scope.next_confidence
    if record.method.startswith(_UNVARIED):
        return ratio * math.log(2 / (1 - then)) / math.log(2 / (1 - now))
    freedom = record.prompts - 1
    t_now, t_then = (float(stats.t.ppf((1 + level) / 2, freedom)) for level in (now, then))
    return (ratio * (t_then + float(stats.norm.ppf(_POWER))) / t_now) ** 2


def _further(count: int, growth: float) -> int:
    return max(1, math.ceil(count * growth) - count)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
