"""Not right where the judge is."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import judged
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    rows = judged(sample)
    if rows is None:
        return None
    right_N = rows.judge_right_N
    return Share.of_rows(rows.prompt_N[right_N], ~rows.own_right_N[right_N])


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="strays",
        label="not right where the judge is",
        unit="share",
        meaning="Share of rows that are not right, of those that the judge gets right; a copy has 0.",
        statistic=_statistic,
        order=30,
        spread=spread.share_where_judge_is_right(),
    ),
)
