"""Share of rows that got their true label."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import labels_of_truth
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    known = labels_of_truth(sample)
    return None if known is None else Share.of_rows(known.prompt_N, known.reference_N == known.own_N)


MEASURES = (
    Measure(
        part="truth",
        name="accuracy",
        label="accuracy",
        unit="share",
        meaning="Share of rows that got their true label; compare it with always_pass.",
        statistic=_statistic,
        order=20,
        spread=spread.share(),
    ),
)
