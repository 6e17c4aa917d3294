"""Share of wrong completions that were called wrong."""

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
    wrong_N = known.reference_N != RIGHT
    return Share.of_rows(known.prompt_N[wrong_N], known.own_N[wrong_N] != RIGHT)


MEASURES = (
    Measure(
        part="truth",
        name="true_negative_rate",
        label="wrong called wrong",
        unit="share",
        meaning="Share of wrong completions that were called wrong.",
        statistic=_statistic,
        order=40,
        spread=spread.share_of_one_label(),
    ),
)
