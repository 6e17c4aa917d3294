"""Share of right completions that were called right."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import labels_of_truth
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import POINTWISE, RIGHT, Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    known = labels_of_truth(sample) if sample.rows.labels == POINTWISE else None
    if known is None:
        return None
    right_N = known.reference_N == RIGHT
    return Share.of_rows(known.prompt_N[right_N], known.own_N[right_N] == RIGHT)


MEASURES = (
    Measure(
        part="truth",
        name="true_positive_rate",
        label="right called right",
        unit="share",
        meaning="Share of right completions that were called right.",
        statistic=_statistic,
        order=30,
        spread=spread.share_of_one_label(),
    ),
)
