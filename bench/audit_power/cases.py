"""Who is planted, and which gates are held against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audit_power.graders import (
    Grader,
    agreeing,
    copies,
    copying_errors,
    draws,
    erring,
    gives_no_score,
    is_off_by_one,
    judges,
    lenient,
    scoring,
    tuned,
)
from audit_power.population import POPULATION
from audit_power.world import World
from gavel_train.audit.sample import SCORES
from gavel_train.contracts import GateSpec

# How far below a gate the grader is that must not pass it.
JUST_BELOW = 0.01

Place = Literal["below", "at", "above"]

WORLD = World()


@dataclass(frozen=True)
class Bound:
    """A gate, graders by the value of its measure, and a value that is well on its right side."""

    name: str
    measure: str
    at_least: float | None
    at_most: float | None
    make: Callable[[float], Grader]
    well_above: float

    @property
    def bound(self) -> float:
        """The value that the interval must clear."""
        bound = self.at_most if self.at_least is None else self.at_least
        assert bound is not None, self.measure
        return bound

    @property
    def gate(self) -> GateSpec:
        """As a spec says it."""
        return gate_of(self.measure, self.at_least, self.at_most)

    def value(self, place: Place) -> float:
        """The population value of the grader at this place; `below` is on the wrong side."""
        worse = JUST_BELOW if self.at_least is None else -JUST_BELOW
        return {"below": self.bound + worse, "at": self.bound, "above": self.well_above}[place]

    def grader(self, place: Place) -> Grader:
        """The planted grader."""
        return tuned(self.make, POPULATION[self.measure], self.value(place))


def gate_of(measure: str, at_least: float | None = None, at_most: float | None = None) -> GateSpec:
    """A gate on a measure of the grader in its headline mode."""
    part, name = measure.split(".")
    return GateSpec(id=f"{part}.grader.headline.{name}", at_least=at_least, at_most=at_most)


# Most completions are right, so that few rows show what a grader does with wrong ones.
FEW_WRONG = World(right=0.8, judge_right=(0.7, 0.95))
FEWER_WRONG = World(right=0.9, judge_right=(0.8, 0.85))

KAPPA = "fidelity.quadratic_weighted_kappa"
DIFFERENCE = "teacher_wrong.balanced_accuracy_difference"
SCORED = "coverage.scored"


def _agreeing(share: float) -> Grader:
    return agreeing(WORLD, share)


def _scoring(share: float) -> Grader:
    return scoring(WORLD, share)


def _lenient(share: float) -> Grader:
    return lenient(FEWER_WRONG, share)


def _erring(copied: float, world: World = WORLD) -> Callable[[float], Grader]:
    return lambda right: erring(world, right, copied)


BOUNDS = (
    Bound("quadratic weighted kappa >= 0.6", KAPPA, 0.6, None, _agreeing, 0.75),
    Bound("balanced accuracy difference >= -0.05", DIFFERENCE, -0.05, None, _erring(0.7), 0.03),
    Bound("the same, few differ, 20% wrong rows", DIFFERENCE, -0.05, None, _erring(0.9, FEW_WRONG), 0.01),
    Bound("the same, lenient, 10% wrong rows", DIFFERENCE, -0.05, None, _lenient, 0.03),
    Bound("difference >= 0, lenient, 10% wrong rows", DIFFERENCE, 0.0, None, _lenient, 0.03),
    Bound("scored >= 0.95", SCORED, 0.95, None, _scoring, 0.99),
    Bound("follows truth >= 0.3", "teacher_wrong.follows_truth", 0.3, None, _erring(0.3), 0.5),
    Bound("strays <= 0.1", "teacher_wrong.strays", None, 0.1, _erring(0.3), 0.03),
    Bound("AUROC >= 0.8", "truth.auroc", 0.8, None, _erring(0.3), 0.9),
    Bound("Spearman >= 0.6", "fidelity.spearman", 0.6, None, _agreeing, 0.75),
)

# As in the spec: a test compares them.
DEFAULT_GATES = (
    gate_of(KAPPA, 0.6),
    gate_of(DIFFERENCE, -0.05),
    gate_of(SCORED, 0.95),
    GateSpec(id="coverage.judge.*.scored", at_least=0.95),
)


@dataclass(frozen=True)
class Whole:
    """A grader that all default gates decide about, and the verdict that the audit must not give."""

    name: str
    grader: Grader
    never: Literal["PASS", "FAIL"]


WHOLE = (
    Whole("random scores", Grader(WORLD, draws(np.full(SCORES, 1 / SCORES)), copies()), "PASS"),
    Whole("the same score for every row", Grader(WORLD, draws(np.eye(SCORES)[9]), copies()), "PASS"),
    Whole("the judge's score, none for 30% of the rows", scoring(WORLD, 0.7), "PASS"),
    Whole("no score for any row", Grader(WORLD, gives_no_score(), copies()), "PASS"),
    Whole("the opposite of the judge's score", Grader(WORLD, copies()[:, ::-1], copies()), "PASS"),
    Whole("the judge's score for every row", Grader(WORLD, copies(), copies()), "FAIL"),
    Whole("the judge's errors and as many of its own", copying_errors(WORLD), "FAIL"),
)

# Graders whose records are held against the population values, every measure of them.
COVERED = {
    "the judge's score on 80% of the rows, else one as often given": agreeing(WORLD, 0.8),
    "the judge's score plus or minus 1, or right and wrong on its own": Grader(
        WORLD, 0.6 * copies() + 0.4 * is_off_by_one(), judges((0.75, 0.75)), 0.7
    ),
}
