"""Whether right completions get higher values than wrong ones.

Shape suffixes: N rows, P prompts, C distinct values, G pairs of prompt and value.
"""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts, spread
from gavel_train.audit.intervals import SHARE
from gavel_train.audit.matched import silent
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import POINTWISE, RIGHT, UNKNOWN, Bools, Floats, Ints, Sample
from gavel_train.audit.statistic import LeftOut, add_up, dense


def _statistic(sample: Sample) -> LeftOut | None:
    truth_N, answers = sample.rows.truth_N, sample.answers
    if sample.rows.labels != POINTWISE or not (truth_N != UNKNOWN).any():
        return None
    graded_N = answers.value_N if np.isfinite(answers.value_N).any() else answers.p_pass_N
    known_N = (truth_N != UNKNOWN) & np.isfinite(graded_N)
    index_N, prompts = dense(sample.rows.prompt_N[known_N])
    return _of_rows(index_N, prompts, truth_N[known_N] == RIGHT, graded_N[known_N], answers.is_baseline)


def _of_rows(index_N: Ints, prompts: int, right_N: Bools, graded_N: Floats, is_fixed: bool) -> LeftOut:
    """Mann-Whitney's share of pairs of a right and a wrong row that are in order, without each prompt.

    Leaving a prompt out takes the pairs of its rows with all rows away, and those within the prompt once too
    often: the clustered form of Obuchowski (1997), exact.
    """
    distinct, code_N = np.unique(graded_N, return_inverse=True)
    right_C, wrong_C = (add_up(code_N, rows, len(distinct)) for rows in (right_N, ~right_N))
    below_C = np.cumsum(wrong_C) - wrong_C / 2
    above_C = right_C.sum() - np.cumsum(right_C) + right_C / 2
    in_order_N = np.where(right_N, below_C[code_N], above_C[code_N])
    in_order_P = add_up(index_N, in_order_N, prompts)
    right_P, wrong_P = (add_up(index_N, rows, prompts) for rows in (right_N, ~right_N))
    total, pairs = float(right_C @ below_C), float(right_C.sum() * wrong_C.sum())
    within_P = _within(index_N, prompts, code_N, right_N)
    pairs_P = (right_P.sum() - right_P) * (wrong_P.sum() - wrong_P)
    return LeftOut(
        total / pairs if pairs else float("nan"),
        from_counts.ratio(total - in_order_P + within_P, pairs_P),
        n=len(index_N),
        scale=SHARE,
        trials=int(min((right_P > 0).sum(), (wrong_P > 0).sum())),
        fixed=is_fixed,
        silent=silent(index_N, right_N.astype(np.int64), in_order_N, SHARE.reach),
    )


def _within(index_N: Ints, prompts: int, code_N: Ints, right_N: Bools) -> Floats:
    """Pairs within each prompt that are in order, ties by half."""
    codes = int(code_N.max(initial=0)) + 1
    group_G, place_N = np.unique(index_N * codes + code_N, return_inverse=True)
    right_G, wrong_G = (add_up(place_N, rows, len(group_G)) for rows in (right_N, ~right_N))
    prompt_G = group_G // codes
    before_G = np.cumsum(wrong_G) - wrong_G
    start_P = np.searchsorted(prompt_G, np.arange(prompts))
    below_G = before_G - before_G[start_P[prompt_G]] + wrong_G / 2
    return add_up(prompt_G, right_G * below_G, prompts)


MEASURES = (
    Measure(
        part="truth",
        name="auroc",
        label="AUROC",
        unit="share",
        meaning="Chance that a right completion gets a higher value than a wrong one; ties count half.",
        statistic=_statistic,
        chance=0.5,
        order=60,
        spread=spread.auroc(),
    ),
)
