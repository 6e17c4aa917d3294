"""Whether values are above or below the judge's."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import Scale
from gavel_train.audit.matched import values, with_few_differences
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums

_DIGITS = Scale(-9.0, 9.0, reach=9.0, unseen_from=None)


def _statistic(sample: Sample) -> Sums | None:
    both = values(sample)
    if both is None:
        return None
    above_N = both.own_N - both.judge_N
    scale = with_few_differences(_DIGITS, both.prompt_N, above_N)
    return Sums.of_columns(both.prompt_N, [above_N, np.ones_like(above_N)], from_counts.mean, scale)


MEASURES = (
    Measure(
        part="fidelity",
        name="bias",
        label="bias",
        unit="score",
        meaning="Mean of the contestant's value minus the judge's; above 0 it is the more generous one.",
        statistic=_statistic,
        order=50,
    ),
)
