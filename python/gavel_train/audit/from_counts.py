"""Values computed from counts of rows; NaN where the counts do not define them.

Counts come as [..., K], so that a value is computed for thousands of prompts left out at once.

Shape suffixes: L labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gavel_train.audit.intervals import KAPPA, Scale
from gavel_train.audit.sample import SCORES, Floats, Ints

SQUARED_DISTANCE = np.subtract.outer(np.arange(SCORES), np.arange(SCORES)).astype(np.float64) ** 2


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part by whole; NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def quadratic_weighted_kappa(sums: Floats) -> Floats:
    """Cohen's (1968) kappa with squared distances, from [..., 21].

    The sums are rows by the first score (10), rows by the second (10), and squared distances. Undefined where
    both sides are the same constant.
    """
    first, second, observed = sums[..., :SCORES], sums[..., SCORES:-1], sums[..., -1]
    expected = ((first @ SQUARED_DISTANCE) * second).sum(axis=-1)
    return 1 - ratio(observed * first.sum(axis=-1), expected)


def kappa_scale(reference_N: Ints, own_N: Ints, distance_LL: Floats) -> Scale:
    """The scale of a kappa of these codes, with how far each share of all rows could move it.

    That is the largest distance from a code of the reference by the mean distance that chance gives, and at
    least 1: where the reference has few codes that are near to each other, a single far miss weighs much.
    """
    first_L, second_L = (np.bincount(code_N, minlength=len(distance_LL)) for code_N in (reference_N, own_N))
    expected = float(first_L @ distance_LL @ second_L) / max(1, len(own_N)) ** 2
    largest = float(distance_LL[first_L > 0].max(initial=0.0))
    return replace(KAPPA, reach_of_all=max(1.0, largest / expected) if expected else 1.0)


def differs(labels: int) -> Floats:
    """The distance of Cohen's kappa: 1 between any two labels."""
    return 1 - np.eye(labels)


def cohens_kappa(cells: Floats) -> Floats:
    """Cohen's (1960) kappa from the [..., L * L] cells of a table."""
    table = _square(cells)
    total, diagonal = table.sum(axis=(-1, -2)), np.einsum("...ll->...", table)
    expected = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    return ratio(diagonal * total - expected, total**2 - expected)


def cohens_kappa_with_truth(cells: Floats) -> Floats:
    """Cohen's kappa from the cells of truth by verdict; undefined where the truth is one label.

    The formula gives 0 there, or 1: neither says anything of agreement.
    """
    labels_of_truth = (_square(cells).sum(axis=-1) > 0).sum(axis=-1)
    return np.where(labels_of_truth > 1, cohens_kappa(cells), np.nan)


def balanced_accuracy(labels: Sequence[int]) -> Callable[[Floats], Floats]:
    """Mean recall over the given labels, from the [..., L * L] cells of truth by verdict.

    The labels are those that occur in the truth; with fewer than two there is nothing to balance.
    """
    chosen = np.asarray(labels, dtype=np.int64)

    def value(cells: Floats) -> Floats:
        if len(chosen) < 2:
            return np.full(cells.shape[:-1], np.nan)
        table = _square(cells)
        hits = np.einsum("...ll->...l", table)[..., chosen]
        return ratio(hits, table.sum(axis=-1)[..., chosen]).mean(axis=-1)

    return value


def kendall_tau_b(cells: Floats) -> Floats:
    """Kendall's (1945) tau-b from the [..., L * L] cells of a table; undefined where a side is constant."""
    table = _square(cells)
    first, second, total = table.sum(axis=-1), table.sum(axis=-2), table.sum(axis=(-1, -2))
    # Rows above and to the left of each cell, and those above and to its right.
    above = np.cumsum(table, axis=-2) - table
    left = np.cumsum(above, axis=-1) - above
    right = above.sum(axis=-1, keepdims=True) - np.cumsum(above, axis=-1)
    surplus = (table * (left - right)).sum(axis=(-1, -2))
    untied_first = (total**2 - np.square(first).sum(axis=-1)) / 2
    untied_second = (total**2 - np.square(second).sum(axis=-1)) / 2
    return ratio(surplus, np.sqrt(untied_first * untied_second))


def phi(cells: Floats) -> Floats:
    """Correlation of two yes/no variables, from [..., 4] counts: neither, second, first, both."""
    neither, second, first, both = (cells[..., k] for k in range(4))
    product = (first + both) * (neither + second) * (second + both) * (neither + first)
    return ratio(both * neither - first * second, np.sqrt(product))


def difference_of_means(sums: Floats) -> Floats:
    """Mean of one group minus mean of another, from [..., 4]: sum and count of one, then of the other."""
    return ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3])


def mean(sums: Floats) -> Floats:
    """Mean from [..., 2]: sum and count."""
    return ratio(sums[..., 0], sums[..., 1])


def _square(cells: Floats) -> Floats:
    side = round(cells.shape[-1] ** 0.5)
    return cells.reshape(*cells.shape[:-1], side, side)
