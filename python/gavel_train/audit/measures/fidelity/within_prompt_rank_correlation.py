"""Agreement in the order of the completions of one prompt, which is all that GRPO uses of values.

Shape suffixes: N rows, P prompts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import CORRELATION
from gavel_train.audit.matched import Values, values
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Floats, Ints, Sample
from gavel_train.audit.statistic import Sums, add_up, dense

# Pairs grow with the square of the rows of a prompt; scipy's tau sorts instead.
_MOST_BY_PAIRS = 100


def _statistic(sample: Sample) -> Sums | None:
    both = values(sample)
    if both is None:
        return None
    index_N, prompts = dense(both.prompt_N)
    rows_P = np.bincount(index_N, minlength=prompts)
    tau_P = _by_pairs(both, index_N, rows_P)
    for prompt in np.flatnonzero(rows_P > _MOST_BY_PAIRS):
        chosen_N = index_N == prompt
        tau_P[prompt] = _by_sorting(both.judge_N[chosen_N], both.own_N[chosen_N])
    varies_P = np.isfinite(tau_P)
    return Sums(
        np.stack([tau_P[varies_P], np.ones(int(varies_P.sum()))], axis=1),
        from_counts.mean,
        n=int(rows_P[varies_P].sum()),
        scale=CORRELATION,
        trials=int(varies_P.sum()),
    )


def _by_sorting(judge_N: Floats, own_N: Floats) -> float:
    """Tau-b of one prompt; 0 where the contestant alone is constant, NaN where the judge is."""
    if np.ptp(judge_N) > 0 and np.ptp(own_N) == 0:
        return 0.0
    found: Any = stats.kendalltau(judge_N, own_N)
    return float(found.statistic)


def _by_pairs(both: Values, index_N: Ints, rows_P: Ints) -> Floats:
    """Tau-b of each prompt of ordinary size over all its pairs; 0 and NaN as in `_by_sorting`.

    Pairs are taken by their distance in a list of rows sorted by prompt, so that memory grows with the rows
    and not with the pairs.
    """
    order_N = np.argsort(index_N, kind="stable")
    order_N = order_N[rows_P[index_N[order_N]] <= _MOST_BY_PAIRS]
    prompt_N, judge_N, own_N = index_N[order_N], both.judge_N[order_N], both.own_N[order_N]
    last_N = np.searchsorted(prompt_N, prompt_N, side="right")
    surplus_N, judge_untied_N, own_untied_N = np.zeros((3, len(order_N)))
    first_N, distance = np.arange(len(order_N)), 1
    while len(first_N := first_N[first_N + distance < last_N[first_N]]):
        judge = np.sign(judge_N[first_N + distance] - judge_N[first_N])
        own = np.sign(own_N[first_N + distance] - own_N[first_N])
        surplus_N[first_N] += judge * own
        judge_untied_N[first_N] += abs(judge)
        own_untied_N[first_N] += abs(own)
        distance += 1
    surplus_P, judge_P, own_P = (
        add_up(prompt_N, sums_N, len(rows_P)) for sums_N in (surplus_N, judge_untied_N, own_untied_N)
    )
    tau_P = from_counts.ratio(surplus_P, np.sqrt(judge_P * own_P))
    return np.where((judge_P > 0) & (own_P == 0), 0.0, tau_P)


MEASURES = (
    Measure(
        part="fidelity",
        name="within_prompt_rank_correlation",
        label="rank correlation within a prompt",
        unit="correlation",
        meaning="Kendall's tau-b of values within a prompt, averaged over prompts where the judge's vary.",
        statistic=_statistic,
        chance=0.0,
        order=80,
    ),
)
