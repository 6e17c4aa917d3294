"""Same score as the judge."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import digits
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    both = digits(sample)
    return None if both is None else Share.of_rows(both.prompt_N, both.judge_N == both.own_N)


MEASURES = (
    Measure(
        part="fidelity",
        name="exact",
        label="same score",
        unit="share",
        meaning="Share of rows on which both gave the same score.",
        statistic=_statistic,
        order=20,
        spread=spread.share(),
    ),
)
