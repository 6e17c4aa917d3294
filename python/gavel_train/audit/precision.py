"""How sharp a measure's interval will be: from a pilot's interval, or from how much single rows vary."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from gavel_train.audit.intervals import LEAST_PROMPTS
from gavel_train.audit.needed import (
    EffectiveRows,
    Precision,
    StandardError,
    effective_rows,
    slope,
    to_scale,
)
from gavel_train.audit.spread import Scale, Spread
from gavel_train.contracts import Audit, MeasureRecord


@dataclass(frozen=True)
class Basis:
    """What a number of prompts rests on; a gate accepts none below `fewest_prompts`."""

    precision: Precision
    fewest_prompts: int
    note: str


@dataclass(frozen=True)
class Clusters:
    """Rows of one prompt: how many, and how alike (their intra-cluster correlation)."""

    rows: float
    correlation: float

    @property
    def design_effect(self) -> float:
        """How many rows of a prompt are worth one independent row (Kish 1965)."""
        return 1 + (max(self.rows, 1.0) - 1) * self.correlation

    @property
    def effective_rows(self) -> float:
        """How many independent rows the rows of a prompt are worth."""
        return self.rows / self.design_effect


def of_spread(spread: Spread, expected: float, clusters: Clusters, power: float) -> Basis:
    """Without a pilot, where the measure has the expected value."""
    used = Clusters(clusters.rows * spread.among, clusters.correlation)
    note = (
        f"Without a pilot: {used.design_effect:.2f} rows count as one, since rows of a prompt are alike "
        f"(correlation {used.correlation:g})"
    )
    if spread.assumes:
        note += f"; assumes that {spread.assumes}"
    if spread.scale == "exact":
        precision: Precision = EffectiveRows(used.effective_rows)
    else:
        of_one_row = spread.of(expected) * slope(spread.scale, expected)
        precision = StandardError(spread.scale, of_one_row / math.sqrt(used.effective_rows))
    with_rows = 1 - (1 - spread.among) ** clusters.effective_rows
    return Basis(precision, _prompts_for_a_gate(with_rows, power), f"{note}.")


def of_pilot(
    record: MeasureRecord, pilot: Audit, scale: Scale, clusters: Clusters, power: float
) -> Basis | None:
    """As in a pilot, whose standard errors shrink with the root of the prompts; None without an interval."""
    point, low, high = record.point, record.low, record.high
    if point is None or low is None or high is None or record.prompts < 2:
        return None
    # The rows of a prompt are worth more or less where a prompt has more or fewer of them than in the pilot.
    then = Clusters(pilot.rows / pilot.prompts, clusters.correlation)
    gain = clusters.effective_rows / then.effective_rows
    tail = (1 - pilot.confidence) / 2
    if scale == "exact":
        is_upper = low <= 0
        worth = effective_rows(point, high if is_upper else low, is_upper, tail) / pilot.prompts
        # A pilot with few misses says little of how alike they are within prompts.
        most = record.n / pilot.rows * then.effective_rows
        precision: Precision = EffectiveRows(min(worth, most) * gain)
    else:
        half = (to_scale(scale, high) - to_scale(scale, low)) / 2
        error = half / stats.t.ppf(1 - tail, record.prompts - 1)
        precision = StandardError(scale, float(error * math.sqrt(pilot.prompts / gain)))
    note = (
        f"From the pilot, where {record.id} is {point:.3g} [{low:.3g}, {high:.3g}] over {record.n} rows "
        f"of {record.prompts} prompts."
    )
    return Basis(precision, _prompts_for_a_gate(record.prompts / pilot.prompts, power), note)


def _prompts_for_a_gate(with_rows: float, power: float) -> int:
    """Prompts of which enough have rows that count, with that probability, where this share of them has."""
    if with_rows >= 1:
        return LEAST_PROMPTS
    # The root of P in P s - z sqrt(P s (1 - s)) = LEAST_PROMPTS: a normal distribution of prompts with rows.
    away = float(stats.norm.ppf((1 + power) / 2)) * math.sqrt(1 - with_rows)
    root = (away + math.sqrt(away**2 + 4 * LEAST_PROMPTS)) / 2
    return math.ceil(root**2 / with_rows)
