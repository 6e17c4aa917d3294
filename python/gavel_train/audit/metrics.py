"""What an audit measures, as functions of sums over prompts.

Each measure is a value computed from sums that add up over rows (hits, counts, cells of a confusion matrix).
A resample of prompts then only reweights the sums of each prompt, so that thousands of resamples are one
matrix product.

Shape suffixes: N rows, P prompts, K sums, `...` resamples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SCORES = 10
_DISTANCE = np.subtract.outer(np.arange(SCORES), np.arange(SCORES)).astype(np.float64) ** 2


@dataclass(frozen=True)
class Statistic:
    """A measure: sums of each prompt, and the value that a weighted total of them gives (NaN: undefined)."""

    sums_PK: Floats
    value: Callable[[Floats], Floats]
    n: int
    is_share: bool = False

    def of(self, counts: Floats) -> Floats:
        """The value where prompt p is drawn counts[..., p] times: [..., P] -> [...]."""
        return self.value(counts @ self.sums_PK)

    @property
    def point(self) -> float:
        """The value on the rows as they are."""
        return float(self.value(self.sums_PK.sum(axis=0)))


def by_prompt(prompt_ids: Sequence[str], columns: Sequence[npt.ArrayLike]) -> Floats:
    """Sums of each column over the rows of each prompt, [P, K]; prompts that add nothing are left out."""
    names, index_N = np.unique(np.asarray(prompt_ids, dtype=object).astype(str), return_inverse=True)
    sums_PK = np.zeros((len(names), len(columns)))
    for k, column in enumerate(columns):
        np.add.at(sums_PK[:, k], index_N, np.asarray(column, dtype=np.float64))
    return sums_PK[sums_PK.any(axis=1)]


def _ratio(hits: Floats, total: Floats) -> Floats:
    return np.divide(hits, total, out=np.full(np.shape(total), np.nan), where=np.asarray(total) > 0)


def share(prompt_ids: Sequence[str], hits: npt.ArrayLike, among: npt.ArrayLike | None = None) -> Statistic:
    """The share of the rows in `among` (default: all) that are hits."""
    hits_N = np.asarray(hits, dtype=bool)
    among_N = np.ones_like(hits_N) if among is None else np.asarray(among, dtype=bool)
    sums_PK = by_prompt(prompt_ids, [hits_N & among_N, among_N])
    return Statistic(sums_PK, lambda s: _ratio(s[..., 0], s[..., 1]), int(among_N.sum()), is_share=True)


def mean(prompt_ids: Sequence[str], values: npt.ArrayLike) -> Statistic:
    """The mean of a number over the rows."""
    values_N = np.asarray(values, dtype=np.float64)
    # The count comes first: a prompt whose values add up to 0 must not look as if it added nothing.
    sums_PK = by_prompt(prompt_ids, [np.ones_like(values_N), values_N])
    return Statistic(sums_PK, lambda s: _ratio(s[..., 1], s[..., 0]), len(values_N))


def quadratic_weighted_kappa(
    prompt_ids: Sequence[str], judge: npt.ArrayLike, grader: npt.ArrayLike
) -> Statistic:
    """Cohen's kappa with squared distances (Cohen 1968); undefined where both sides are one constant.

    Equals sklearn's cohen_kappa_score(judge, grader, labels=range(10), weights="quadratic").
    """
    cell_N = np.asarray(judge, dtype=np.int64) * SCORES + np.asarray(grader, dtype=np.int64)
    names, index_N = np.unique(np.asarray(prompt_ids, dtype=object).astype(str), return_inverse=True)
    cells_PK = np.zeros((len(names), SCORES * SCORES))
    np.add.at(cells_PK, (index_N, cell_N), 1.0)
    return Statistic(cells_PK, kappa_of_cells, len(cell_N))


def kappa_of_cells(cells: Floats) -> Floats:
    """Quadratic weighted kappa of confusion matrices given as [..., 100] cells."""
    table = cells.reshape(*cells.shape[:-1], SCORES, SCORES)
    judge, grader, total = table.sum(axis=-1), table.sum(axis=-2), table.sum(axis=(-1, -2))
    observed = (table * _DISTANCE).sum(axis=(-1, -2)) * total
    expected = np.einsum("...i,ij,...j->...", judge, _DISTANCE, grader)
    return 1 - _ratio(observed, expected)


@dataclass(frozen=True)
class Rates:
    """How well a yes/no call finds what is right: the four measures of it, each with its own rows."""

    balanced_accuracy: Statistic
    accuracy: Statistic
    true_positive_rate: Statistic
    true_negative_rate: Statistic


def rates(prompt_ids: Sequence[str], truth: npt.ArrayLike, says_right: npt.ArrayLike) -> Rates:
    """Measures of a call "right" or "wrong" against the truth, over rows that have both."""
    truth_N, call_N = np.asarray(truth, dtype=bool), np.asarray(says_right, dtype=bool)
    return Rates(
        balanced_accuracy=Statistic(
            by_prompt(prompt_ids, _balanced_columns(truth_N, call_N)), _balanced_accuracy, len(truth_N)
        ),
        accuracy=share(prompt_ids, truth_N == call_N),
        true_positive_rate=share(prompt_ids, call_N, among=truth_N),
        true_negative_rate=share(prompt_ids, ~call_N, among=~truth_N),
    )


def balanced_accuracy_difference(
    prompt_ids: Sequence[str], truth: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike
) -> Statistic:
    """Balanced accuracy of `one` minus that of `other` on the same rows, so that what both share cancels."""
    truth_N = np.asarray(truth, dtype=bool)
    columns = [
        *_balanced_columns(truth_N, np.asarray(one, dtype=bool)),
        *_balanced_columns(truth_N, np.asarray(other, dtype=bool)),
    ]
    return Statistic(
        by_prompt(prompt_ids, columns),
        lambda s: _balanced_accuracy(s[..., :4]) - _balanced_accuracy(s[..., 4:]),
        len(truth_N),
    )


def _balanced_columns(truth_N: Bools, call_N: Bools) -> list[Bools]:
    return [truth_N & call_N, truth_N, ~truth_N & ~call_N, ~truth_N]


def _balanced_accuracy(sums: Floats) -> Floats:
    return (_ratio(sums[..., 0], sums[..., 1]) + _ratio(sums[..., 2], sums[..., 3])) / 2


def share_difference(
    prompt_ids: Sequence[str], values: npt.ArrayLike, is_one: npt.ArrayLike, is_other: npt.ArrayLike
) -> Statistic:
    """Mean of `values` over the rows of one kind minus the mean over the other, paired by prompt."""
    values_N = np.asarray(values, dtype=np.float64)
    one_N, other_N = np.asarray(is_one, dtype=bool), np.asarray(is_other, dtype=bool)
    sums_PK = by_prompt(prompt_ids, [values_N * one_N, one_N, values_N * other_N, other_N])
    return Statistic(
        sums_PK,
        lambda s: _ratio(s[..., 0], s[..., 1]) - _ratio(s[..., 2], s[..., 3]),
        int((one_N | other_N).sum()),
    )
