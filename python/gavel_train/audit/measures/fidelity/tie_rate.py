"""How often two completions of a prompt get the same value."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import SHARE
from gavel_train.audit.matched import gives_scores
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums, add_up, dense


def _statistic(sample: Sample) -> Sums | None:
    if not gives_scores(sample, sample.answers):
        return None
    known_N = np.isfinite(sample.answers.value_N)
    index_N, prompts = dense(sample.rows.prompt_N[known_N])
    distinct, code_N = np.unique(sample.answers.value_N[known_N], return_inverse=True)
    rows_P = add_up(index_N, None, prompts)
    codes = max(1, len(distinct))
    group_G, rows_G = np.unique(index_N * codes + code_N, return_counts=True)
    ties_P = add_up(group_G // codes, rows_G * (rows_G - 1) / 2, prompts)
    pairs_P = rows_P * (rows_P - 1) / 2
    has_pairs_P = pairs_P > 0
    return Sums(
        np.stack([ties_P, pairs_P], axis=1)[has_pairs_P],
        from_counts.mean,
        n=int(rows_P[has_pairs_P].sum()),
        scale=SHARE,
        trials=int(has_pairs_P.sum()),
    )


MEASURES = (
    Measure(
        part="fidelity",
        name="tie_rate",
        label="ties within a prompt",
        unit="share",
        meaning="Share of pairs within a prompt whose values are equal: GRPO learns nothing from them.",
        statistic=_statistic,
        order=90,
    ),
)
