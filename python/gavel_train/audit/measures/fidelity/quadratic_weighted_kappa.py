"""Agreement of scores beyond chance, in which far misses count more."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts, spread
from gavel_train.audit.matched import digits, outside_most_common
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import SCORES, Sample
from gavel_train.audit.statistic import Sums, add_up, dense
from gavel_train.audit.wording import bounds, too_few, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Sums | None:
    both = digits(sample)
    if both is None:
        return None
    index_N, prompts = dense(both.prompt_N)
    sums_PK = np.zeros((prompts, 2 * SCORES + 1))
    for k, score_N in ((0, both.judge_N), (SCORES, both.own_N)):
        counts = add_up(index_N * SCORES + score_N, None, prompts * SCORES)
        sums_PK[:, k : k + SCORES] = counts.reshape(prompts, SCORES)
    sums_PK[:, -1] = add_up(index_N, np.square(both.judge_N - both.own_N), prompts)
    return Sums(
        sums_PK,
        from_counts.quadratic_weighted_kappa,
        n=len(both.prompt_N),
        scale=from_counts.kappa_scale(both.judge_N, both.own_N, from_counts.SQUARED_DISTANCE),
        trials=len(np.unique(both.prompt_N[outside_most_common(both.judge_N)])),
    )


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = found
    interval = f"{point:.2f} ({low:.2f} to {high:.2f})"
    name = who(role, mode)
    if few := too_few(record):
        return f"{name} has a kappa of {interval} with the judge's scores; {few}."
    if low > 0:
        return f"{name} agrees with the judge's scores: its kappa is {interval}; a copy has 1, chance 0."
    if high < 0:
        return f"{name} contradicts the judge's scores: its kappa is {interval}; chance has 0."
    return f"{name} cannot be told from chance by the judge's scores: its kappa is {interval}."


MEASURES = (
    Measure(
        part="fidelity",
        name="quadratic_weighted_kappa",
        label="quadratic weighted kappa",
        unit="kappa",
        meaning="Agreement of scores beyond chance, in which the square of a miss counts; 1 is perfect.",
        statistic=_statistic,
        chance=0.0,
        chart=True,
        order=10,
        finding=_finding,
        spread=spread.kappa_of_scores(),
    ),
)
