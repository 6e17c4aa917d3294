"""Accuracy of the contestant minus that of the judge."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts, spread
from gavel_train.audit.intervals import DIFFERENCE
from gavel_train.audit.matched import judged, with_few_differences
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    rows = judged(sample)
    if rows is None:
        return None
    columns = [rows.gain_N, np.ones_like(rows.gain_N)]
    scale = with_few_differences(DIFFERENCE, rows.prompt_N, rows.gain_N)
    return Sums.of_columns(rows.prompt_N, columns, from_counts.mean, scale)


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="accuracy_difference",
        label="accuracy, minus the judge's",
        unit="difference",
        meaning="Accuracy minus the judge's on the same rows; a row without a verdict is not right.",
        statistic=_statistic,
        order=50,
        spread=spread.difference_of_shares(),
    ),
)
