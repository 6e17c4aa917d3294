"""How far values are from the judge's."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import Scale
from gavel_train.audit.matched import values
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums

_DISTANCE = Scale(0.0, 9.0, reach=9.0)


def _statistic(sample: Sample) -> Sums | None:
    both = values(sample)
    if both is None:
        return None
    miss_N = abs(both.own_N - both.judge_N)
    return Sums.of_columns(both.prompt_N, [miss_N, np.ones_like(miss_N)], from_counts.mean, _DISTANCE)


MEASURES = (
    Measure(
        part="fidelity",
        name="mean_absolute_error",
        label="mean absolute error",
        unit="score",
        meaning="Mean distance of the contestant's value from the judge's; 0 is perfect.",
        statistic=_statistic,
        order=40,
    ),
)
