"""What a measure is. Each is a module of `measures/<part>/` that lists its own in MEASURES.

Nothing else in the audit knows a measure by name: records, gates, report and command line go by what the
modules say.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from gavel_train.audit import measures
from gavel_train.audit.sample import POINTWISE, PolicySample, Sample
from gavel_train.audit.spread import Spread
from gavel_train.audit.statistic import Statistic
from gavel_train.contracts import MeasureInfo, MeasureRecord, PartInfo

Unit = Literal["share", "difference", "kappa", "correlation", "score", "rate", "ratio"]


@dataclass(frozen=True)
class Part:
    """A part of an audit and its question; PART of `measures/<part>/__init__.py`.

    `needs` says what an audit needs to have records of it."""

    part: str
    question: str
    meaning: str
    needs: str
    order: int

    def info(self) -> PartInfo:
        """As audit.json says it."""
        return PartInfo(part=self.part, question=self.question, meaning=self.meaning, needs=self.needs)


@dataclass(frozen=True)
class Measure:
    """One measure: what it is called, what it means, and how it is computed.

    `statistic` returns None where the measure does not apply (fidelity of the judge to itself, truth without
    ground truth): then there is no record, or, in a slice of rows to which it applies, one of nothing. Where
    it applies and these rows do not define it, its point is NaN and the record's point is null. `chance` is
    what guessing gets, from the number of labels that occur in the truth where it depends on it. `finding`
    takes a record over all rows, its role and its mode: one sentence that follows from it;
    `finding_by_chance` takes the chance too. Without `spread`, a plan for a gate on it needs a pilot.
    """

    part: str
    name: str
    label: str
    unit: Unit
    meaning: str
    statistic: Callable[[Sample], Statistic | None]
    chance: float | Callable[[int], float] | None = None
    chart: bool = False
    sliced: bool = True
    order: int = 100
    finding: Callable[[MeasureRecord, str, str], str | None] | None = None
    finding_by_chance: Callable[[MeasureRecord, str, str, float], str | None] | None = None
    spread: Spread | None = None

    def info(self, labels: int = len(POINTWISE)) -> MeasureInfo:
        """As audit.json says it, of an audit in whose truth so many labels occur."""
        return MeasureInfo(
            part=self.part,
            name=self.name,
            label=self.label,
            unit=self.unit,
            meaning=self.meaning,
            chance=self._chance(labels),
            chart=self.chart,
        )

    def says(self, record: MeasureRecord, role: str, mode: str, labels: int = len(POINTWISE)) -> str | None:
        """What follows from a record over all rows, in whose truth so many labels occur; None: nothing."""
        chance = self._chance(labels)
        if self.finding_by_chance is not None and chance is not None:
            return self.finding_by_chance(record, role, mode, chance)
        return None if self.finding is None else self.finding(record, role, mode)

    def _chance(self, labels: int) -> float | None:
        return self.chance(labels) if callable(self.chance) else self.chance


@dataclass(frozen=True)
class PolicyMeasure:
    """A measure of the policy's held-out completions."""

    info: MeasureInfo
    statistic: Callable[[PolicySample], Statistic | None]
    finding: Callable[[MeasureRecord, str, str], str | None] | None = None


@cache
def parts() -> tuple[Part, ...]:
    """Every part, in the order of a report."""
    found = [_module(name).PART for name in _names(measures.__path__, measures.__name__)]
    return tuple(sorted(found, key=lambda part: part.order))


@cache
def all_measures() -> tuple[Measure, ...]:
    """Every measure of verdicts, in the order of a report."""
    ranks = {part.part: part.order for part in parts()}
    found = [measure for module in _measure_modules() for measure in getattr(module, "MEASURES", ())]
    return tuple(sorted(found, key=lambda measure: (ranks[measure.part], measure.order, measure.name)))


@cache
def policy_measures() -> tuple[PolicyMeasure, ...]:
    """Every measure of the policy itself."""
    return tuple(one for module in _measure_modules() for one in getattr(module, "POLICY_MEASURES", ()))


def _measure_modules() -> list[Any]:
    folders = [_module(name) for name in _names(measures.__path__, measures.__name__)]
    return [_module(name) for folder in folders for name in _names(folder.__path__, folder.__name__)]


def _names(path: Iterable[str], package: str) -> list[str]:
    return [f"{package}.{found.name}" for found in pkgutil.iter_modules(path)]


def _module(name: str) -> Any:
    return importlib.import_module(name)
