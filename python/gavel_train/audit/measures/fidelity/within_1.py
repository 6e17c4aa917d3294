"""At most one digit from the judge's score."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import digits
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    both = digits(sample)
    return None if both is None else Share.of_rows(both.prompt_N, abs(both.judge_N - both.own_N) <= 1)


MEASURES = (
    Measure(
        part="fidelity",
        name="within_1",
        label="within 1",
        unit="share",
        meaning="Share of rows on which the two scores are at most one digit apart.",
        statistic=_statistic,
        order=30,
        spread=spread.share(),
    ),
)
