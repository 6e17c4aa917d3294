"""The cells of the simulation: each planted grader at each size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audit_power.audited import records
from audit_power.cases import BOUNDS, COVERED, DEFAULT_GATES, DIFFERENCE, KAPPA, SCORED, WHOLE, Place
from audit_power.graders import Grader
from audit_power.population import POPULATION
from gavel_train.contracts import GateSpec

Size = tuple[int, int]

SIZES: tuple[Size, ...] = ((40, 100), (40, 500), (80, 200), (200, 500))
PLACES: tuple[Place, ...] = ("below", "at", "above")

# Prompts and rows that stand for the population where a measure has no closed form: what happens within
# prompts depends on their sizes.
_MANY: Size = (160_000, 400_000)


@dataclass(frozen=True)
class Cell:
    """A grader audited at a size: the measures that are computed, and the gates that decide.

    `values` are population values by `part.measure`.
    """

    name: str
    grader: Grader
    size: Size
    measures: Sequence[str]
    gates: Sequence[GateSpec] = ()
    values: Mapping[str, float] = field(default_factory=dict)


def bound_cells(sizes: Sequence[Size], places: Sequence[Place] = PLACES) -> list[Cell]:
    """Graders below, at and above each gate."""
    return [
        Cell(
            name=f"{bound.name}, {place}",
            grader=grader,
            size=size,
            measures=[bound.measure],
            gates=[bound.gate],
            values={bound.measure: bound.value(place)},
        )
        for bound in BOUNDS
        for place in places
        for grader in [bound.grader(place)]
        for size in sizes
    ]


def whole_cells(sizes: Sequence[Size]) -> list[Cell]:
    """Graders that the default gates decide about together."""
    measures = [KAPPA, DIFFERENCE, SCORED]
    return [
        Cell(whole.name, whole.grader, size, measures, DEFAULT_GATES) for whole in WHOLE for size in sizes
    ]


def covered_cells(sizes: Sequence[Size]) -> list[Cell]:
    """Graders of whom every measure is computed."""
    cells = []
    for name, grader in COVERED.items():
        values = population_values(name, grader)
        cells += [Cell(name, grader, size, list(values), values=values) for size in sizes]
    return cells


def population_values(name: str, grader: Grader) -> dict[str, float]:
    """Population values of the measures that vary: from their formulas, or else from one large draw."""
    sample = grader.sample(np.random.default_rng([*name.encode()]), *_MANY)
    values = {}
    for measure, record in records(sample):
        if measure in POPULATION:
            values[measure] = POPULATION[measure](grader.joint_TSO)
        elif record.point is not None and record.low is not None and record.low < record.point:
            values[measure] = record.point
    return values
