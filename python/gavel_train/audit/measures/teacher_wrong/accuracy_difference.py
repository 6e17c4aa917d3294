"""Accuracy of the contestant minus that of the judge."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import DIFFERENCE
from gavel_train.audit.matched import judged
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    rows = judged(sample)
    if rows is None:
        return None
    gain_N = (rows.own_N == rows.truth_N).astype(np.float64) - (rows.judge_N == rows.truth_N)
    return Sums.of_columns(rows.prompt_N, [gain_N, np.ones_like(gain_N)], from_counts.mean, DIFFERENCE)


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="accuracy_difference",
        label="accuracy, minus the judge's",
        unit="difference",
        meaning="Accuracy of the contestant minus that of the judge, on the same rows.",
        statistic=_statistic,
        order=50,
    ),
)
