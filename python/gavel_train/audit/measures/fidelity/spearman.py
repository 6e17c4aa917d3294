"""Agreement in the ranks of values.

Shape suffixes: N rows, P prompts, C distinct values.
"""

from __future__ import annotations

import numpy as np

from gavel_train.audit import spread
from gavel_train.audit.intervals import CORRELATION
from gavel_train.audit.matched import outside_most_common, values
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Floats, Ints, Sample
from gavel_train.audit.statistic import LeftOut, add_up, dense

# Up to here each prompt is left out in turn. The linear form needs one pass over the rows for all prompts,
# and from here on it gives the same error to within 1%.
_MOST_EXACT = 100


def _statistic(sample: Sample) -> LeftOut | None:
    both = values(sample)
    if both is None:
        return None
    index_N, prompts = dense(both.prompt_N)
    judge_N, own_N = (np.unique(value_N, return_inverse=True)[1] for value_N in (both.judge_N, both.own_N))
    point = _spearman(judge_N, own_N, np.ones(len(index_N)))
    leave_out = _each_left_out if prompts <= _MOST_EXACT else _linear
    return LeftOut(
        point,
        leave_out(judge_N, own_N, index_N, prompts) if np.isfinite(point) else np.full(prompts, np.nan),
        n=len(index_N),
        scale=CORRELATION,
        trials=len(np.unique(index_N[outside_most_common(judge_N)])),
    )


def _each_left_out(judge_N: Ints, own_N: Ints, index_N: Ints, prompts: int) -> Floats:
    left_out = [
        _spearman(judge_N, own_N, (index_N != prompt).astype(np.float64)) for prompt in range(prompts)
    ]
    return np.array(left_out)


def _spearman(one_N: Ints, other_N: Ints, weight_N: Floats) -> float:
    """Correlation of mid-ranks of the rows with weight 1; NaN where a side is constant."""
    if len(one_N) == 0:
        return float("nan")
    one, other = _centred(one_N, weight_N), _centred(other_N, weight_N)
    spread = np.sqrt((weight_N @ one**2) * (weight_N @ other**2))
    return float(weight_N @ (one * other) / spread) if spread > 0 else float("nan")


def _centred(code_N: Ints, weight_N: Floats) -> Floats:
    """Mid-rank by rows, from -1/2 to 1/2, whose mean over the rows is 0."""
    rows_C = add_up(code_N, weight_N, 0)
    below_C = np.cumsum(rows_C) - rows_C / 2
    return (below_C / weight_N.sum() - 0.5)[code_N]


def _linear(judge_N: Ints, own_N: Ints, index_N: Ints, prompts: int) -> Floats:
    """Infinitesimal jackknife (Jaeckel 1972): each prompt is left out to first order.

    The influence of a row on the mean product of ranks has three parts: its own product, and what its
    presence adds to the two ranks of every row above it.
    """
    n = len(index_N)
    one_N, other_N = _centred(judge_N, np.ones(n)), _centred(own_N, np.ones(n))
    products = {}
    for name, (first_N, first_codes), (second_N, second_codes) in (
        ("both", (one_N, judge_N), (other_N, own_N)),
        ("one", (one_N, judge_N), (one_N, judge_N)),
        ("other", (other_N, own_N), (other_N, own_N)),
    ):
        product = float(first_N @ second_N) / n
        influence_N = first_N * second_N + _above(first_codes, second_N) + _above(second_codes, first_N)
        products[name] = (product, influence_N - 3 * product)
    (both, both_N), (one, of_one_N), (other, of_other_N) = products.values()
    point = both / np.sqrt(one * other)
    influence_N = both_N / np.sqrt(one * other) - point / 2 * (of_one_N / one + of_other_N / other)
    return point - add_up(index_N, influence_N, prompts) / (n - add_up(index_N, None, prompts))


def _above(code_N: Ints, value_N: Floats) -> Floats:
    """Mean over all rows of the value where the row is above, half of it where it ties."""
    sum_C = add_up(code_N, value_N, 0)
    return ((sum_C.sum() - np.cumsum(sum_C) + sum_C / 2) / len(code_N))[code_N]


MEASURES = (
    Measure(
        part="fidelity",
        name="spearman",
        label="Spearman's rank correlation",
        unit="correlation",
        meaning="Correlation of the ranks of values; 1 where both put the rows in the same order.",
        statistic=_statistic,
        chance=0.0,
        order=60,
        spread=spread.kappa_of_scores(),
    ),
)
