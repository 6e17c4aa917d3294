"""Baselines: computed contestants that were never asked, which show what a figure is worth."""

import numpy as np

from gavel_train.audit.sample import POINTWISE, RIGHT, UNKNOWN, Answers, Rows

MODE = "constant"
ALWAYS_PASS = "always_pass"
BASELINES = frozenset({ALWAYS_PASS})


def baselines_of(rows: Rows) -> list[Answers]:
    """Return "right" for every row, where rows are completions and the truth of some is known."""
    if rows.labels != POINTWISE or not (rows.truth_N != UNKNOWN).any():
        return []
    unknown_N = np.full(len(rows), np.nan)
    return [
        Answers(
            role=ALWAYS_PASS,
            mode=MODE,
            kind_N=np.full(len(rows), "scored"),
            score_N=unknown_N,
            value_N=unknown_N,
            p_pass_N=np.ones(len(rows)),
            label_N=np.full(len(rows), RIGHT),
            is_expectation_N=np.zeros(len(rows), dtype=bool),
            is_baseline=True,
        )
    ]
