"""The kinds of statistics that measures are, each with its point and its interval.

Completions of one prompt are alike, so the prompt, not the row, is the independent unit of every interval.

Shape suffixes: N rows, P prompts, K sums, `...` any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gavel_train.audit import intervals
from gavel_train.audit.intervals import Interval, Scale, Silent
from gavel_train.audit.sample import Bools, Floats, Ints

# Numbers held at once while each prompt is left out: bounds memory to some tens of MB.
_BLOCK = 1_000_000


class Statistic(Protocol):
    """A number computed from rows; `point` is NaN where these rows do not define it."""

    @property
    def point(self) -> float:
        """The value on the rows as they are."""
        ...

    @property
    def n(self) -> int:
        """Rows that it is computed from."""
        ...

    @property
    def prompts(self) -> int:
        """Prompts of these rows."""
        ...

    def interval(self, confidence: float) -> Interval:
        """Two-sided interval at a level, say 0.95; without bounds where these rows give none."""
        ...


@dataclass(frozen=True)
class Sums:
    """A value computed from sums that add up over rows, say the cells of a confusion matrix.

    `value` takes sums [..., K] and gives [...], NaN where it is undefined. `trials` is the number of prompts
    that could have changed the value where none did. `fixed` marks what holds for any rows, say the balanced
    accuracy of a baseline that always says "right". `silent` are the labels without variance that a mean over
    labels has.
    """

    sums_PK: Floats
    value: Callable[[Floats], Floats]
    n: int
    scale: Scale
    trials: int
    fixed: bool = False
    silent: Sequence[Silent] = ()

    @classmethod
    def of_columns(
        cls,
        prompt_N: Ints,
        columns: Sequence[Bools | Floats | Ints],
        value: Callable[[Floats], Floats],
        scale: Scale,
        *,
        could_vary_N: Bools | None = None,
        fixed: bool = False,
        silent: Sequence[Silent] = (),
    ) -> Sums:
        """Sums of each column over the rows of each prompt; prompts without rows are left out."""
        index_N, prompts = dense(prompt_N)
        sums_PK = np.empty((prompts, len(columns)))
        for k, column in enumerate(columns):
            sums_PK[:, k] = add_up(index_N, column, prompts)
        trials = _trials(index_N, prompts, could_vary_N)
        return cls(sums_PK, value, len(prompt_N), scale, trials, fixed, silent)

    @classmethod
    def of_table(
        cls,
        prompt_N: Ints,
        first_N: Ints,
        second_N: Ints,
        codes: int,
        value: Callable[[Floats], Floats],
        scale: Scale,
        *,
        could_vary_N: Bools | None = None,
        fixed: bool = False,
        silent: Sequence[Silent] = (),
    ) -> Sums:
        """Rows of each prompt counted by two codes, [P, codes * codes]; prompts without rows are left out."""
        index_N, prompts = dense(prompt_N)
        cells = codes**2
        sums_PK = add_up((index_N * codes + first_N) * codes + second_N, None, prompts * cells)
        trials = _trials(index_N, prompts, could_vary_N)
        return cls(sums_PK.reshape(prompts, cells), value, len(prompt_N), scale, trials, fixed, silent)

    @property
    def prompts(self) -> int:
        """Prompts with rows."""
        return len(self.sums_PK)

    @property
    def point(self) -> float:
        """The value on the rows as they are."""
        return float(self.value(self.sums_PK.sum(axis=0)))

    def left_out(self) -> Floats:
        """The value without each prompt, [P]."""
        total_K = self.sums_PK.sum(axis=0)
        # Without rows there may be no label, and so no column.
        step = max(1, _BLOCK // max(1, self.sums_PK.shape[1]))
        blocks = [self.sums_PK[at : at + step] for at in range(0, self.prompts, step)]
        return np.concatenate([np.zeros(0), *(self.value(total_K - block) for block in blocks)])

    def interval(self, confidence: float) -> Interval:
        """Delete-one-prompt jackknife, O(P x K)."""
        return LeftOut(
            self.point,
            self.left_out(),
            self.n,
            self.scale,
            self.trials,
            fixed=self.fixed,
            silent=self.silent,
        ).interval(confidence)


@dataclass(frozen=True)
class Share:
    """The share of rows that are hits."""

    hits_P: Floats
    among_P: Floats

    @classmethod
    def of_rows(cls, prompt_N: Ints, hit_N: Bools) -> Share:
        """The share of these rows that are hits."""
        index_N, prompts = dense(prompt_N)
        return cls(add_up(index_N, hit_N, prompts), add_up(index_N, None, prompts))

    @property
    def n(self) -> int:
        """Rows that could be hits."""
        return int(self.among_P.sum())

    @property
    def prompts(self) -> int:
        """Prompts with such rows."""
        return len(self.among_P)

    @property
    def point(self) -> float:
        """Hits by rows; NaN without rows."""
        return float(self.hits_P.sum()) / self.n if self.n else float("nan")

    def interval(self, confidence: float) -> Interval:
        """Korn-Graubard."""
        missing = intervals.not_possible(self.point, self.n, self.prompts)
        return missing or intervals.korn_graubard(self.hits_P, self.among_P, confidence=confidence)


@dataclass(frozen=True)
class LeftOut:
    """A statistic that is no function of few sums and brings its values without each prompt, [P].

    `trials`, `fixed` and `silent` as in Sums.
    """

    point: float
    left_out_P: Floats
    n: int
    scale: Scale
    trials: int
    fixed: bool = False
    silent: Sequence[Silent] = ()

    @property
    def prompts(self) -> int:
        """Prompts with rows."""
        return len(self.left_out_P)

    def interval(self, confidence: float) -> Interval:
        """Delete-one-prompt jackknife."""
        if self.fixed and not math.isnan(self.point):
            return Interval(self.point, self.point, "exact: it has this value on any rows")
        missing = intervals.not_possible(self.point, self.n, self.prompts, self.trials)
        return missing or intervals.jackknife(
            self.point,
            self.left_out_P,
            confidence=confidence,
            scale=self.scale,
            trials=self.trials,
            silent=self.silent,
        )


@dataclass(frozen=True)
class Plain:
    """A number that has no interval, say a speed that was measured once."""

    point: float
    n: int
    prompts: int
    why: str

    def interval(self, confidence: float) -> Interval:
        """No bounds, and why."""
        return intervals.none(self.why)


def add_up(index_N: Ints, value_N: Bools | Floats | Ints | None, size: int) -> Floats:
    """Sums of a value by index, [size]; None: counts of rows."""
    return np.bincount(index_N, value_N, minlength=size).astype(np.float64, copy=False)


def dense(prompt_N: Ints) -> tuple[Ints, int]:
    """Prompts numbered from 0 without gaps, and how many there are."""
    seen = np.bincount(prompt_N) > 0
    return (np.cumsum(seen) - 1)[prompt_N], int(seen.sum())


def _trials(index_N: Ints, prompts: int, could_vary_N: Bools | None) -> int:
    if could_vary_N is None:
        return prompts
    return int((add_up(index_N, could_vary_N, prompts) > 0).sum())
