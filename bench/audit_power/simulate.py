"""Replicates of cells, spread over processes, and what they came to."""

from __future__ import annotations

import multiprocessing
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audit_power.audited import records
from audit_power.cases import SCORED
from audit_power.cells import Cell
from gavel_train.audit.gates import judge_gates, overall
from gavel_train.audit.sample import Sample
from gavel_train.audit.scope import Scope
from gavel_train.contracts import MeasureRecord

SEED = 20260601

# Replicates that one process does at a time.
_CHUNK = 100


@dataclass
class Intervals:
    """Intervals of one measure against its population value; `too_high` lie above it."""

    seen: int = 0
    too_low: int = 0
    too_high: int = 0
    width: float = 0.0

    def see(self, record: MeasureRecord, value: float) -> None:
        """Count one interval; a record without one does not count."""
        if record.low is None or record.high is None:
            return
        self.seen += 1
        self.width += record.high - record.low
        # Population values are sums of many terms: they equal a bound within rounding.
        self.too_low += record.high < value - 1e-9
        self.too_high += record.low > value + 1e-9

    @property
    def coverage(self) -> float:
        """Share of the intervals that hold the population value."""
        return 1 - (self.too_low + self.too_high) / self.seen if self.seen else float("nan")

    @property
    def mean_width(self) -> float:
        """From low to high."""
        return self.width / self.seen if self.seen else float("nan")


@dataclass
class Tally:
    """What the replicates of a cell came to: verdicts of the audit and of its gates, intervals by measure."""

    replicates: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    by_gate: dict[str, Counter[str]] = field(default_factory=dict)
    intervals: dict[str, Intervals] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count the replicates of another tally too."""
        self.replicates += other.replicates
        self.verdicts.update(other.verdicts)
        for gate, verdicts in other.by_gate.items():
            self.by_gate.setdefault(gate, Counter()).update(verdicts)
        for name, found in other.intervals.items():
            mine = self.intervals.setdefault(name, Intervals())
            for key, value in vars(found).items():
                setattr(mine, key, getattr(mine, key) + value)

    def share(self, verdict: str) -> float:
        """Share of the replicates with this verdict of the audit."""
        return self.verdicts[verdict] / self.replicates


def simulate(cells: Sequence[Cell], replicates: int, jobs: int) -> list[Tally]:
    """A tally of each cell."""
    tallies = [Tally() for _ in cells]
    chunks = [
        (index, cell, first, min(_CHUNK, replicates - first))
        for index, cell in enumerate(cells)
        for first in range(0, replicates, _CHUNK)
    ]
    began = time.monotonic()
    with multiprocessing.Pool(jobs) as pool:
        for done, (index, tally) in enumerate(pool.imap_unordered(_chunk, chunks), start=1):
            tallies[index].add(tally)
            if done % 50 == 0 or done == len(chunks):
                print(
                    f"{done}/{len(chunks)} chunks, {time.monotonic() - began:.0f} s",
                    file=sys.stderr,
                )
    return tallies


def _chunk(task: tuple[int, Cell, int, int]) -> tuple[int, Tally]:
    index, cell, first, count = task
    return index, replicated(cell, first, count)


def replicated(cell: Cell, first: int, count: int) -> Tally:
    """Replicates `first` to `first + count` of a cell; each has a seed of its own."""
    tally = Tally()
    for number in range(first, first + count):
        seed = [SEED, zlib.crc32(cell.name.encode()), *cell.size, number]
        _replicate(cell, np.random.default_rng(seed), tally)
    return tally


def _replicate(cell: Cell, rng: np.random.Generator, tally: Tally) -> None:
    sample = cell.grader.sample(rng, *cell.size)
    found = dict(records(sample, cell.measures))
    for name, value in cell.values.items():
        if name in found:
            tally.intervals.setdefault(name, Intervals()).see(found[name], value)
    # Gates are about the judge's coverage too, and the judge has no judge of its own.
    assert sample.judge is not None
    of_judge = dict(records(Sample(sample.rows, sample.judge, None), set(cell.measures) & {SCORED}))
    gates = judge_gates([*found.values(), *of_judge.values()], cell.gates, _scope(sample))
    for gate in gates:
        tally.by_gate.setdefault(gate.id, Counter())[gate.verdict] += 1
    tally.verdicts[overall(gates)] += 1
    tally.replicates += 1


def _scope(sample: Sample) -> Scope:
    rows, answers = sample.rows, sample.answers
    return Scope(
        headline_mode=answers.mode,
        rows=len(rows),
        prompts=len(np.unique(rows.prompt_N)),
        asked=[(answers.role, answers.mode)],
    )
