"""Right where the judge is not."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import judged
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share
from gavel_train.audit.wording import bounds, percent, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Share | None:
    rows = judged(sample)
    if rows is None:
        return None
    wrong_N = ~rows.judge_right_N
    return Share.of_rows(rows.prompt_N[wrong_N], rows.own_right_N[wrong_N])


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = (percent(share) for share in found)
    return (
        f"{who(role, mode)} is right on {point} ({low} to {high}) of the {record.n:,} rows that the judge "
        "does not get right, be its verdict wrong or missing; an exact copy of the judge is right on none."
    )


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="follows_truth",
        label="right where the judge is not",
        unit="share",
        meaning="Share of rows that are right, of those that the judge does not get right; a copy has 0.",
        statistic=_statistic,
        chart=True,
        order=20,
        finding=_finding,
        spread=spread.share_where_judge_errs(),
    ),
)
