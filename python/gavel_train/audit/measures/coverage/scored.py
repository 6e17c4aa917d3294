"""Verdicts with a score."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share
from gavel_train.audit.wording import percent, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Share | None:
    if sample.answers.is_baseline:
        return None
    return Share.of_rows(sample.rows.prompt_N, sample.answers.kind_N == "scored")


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    if record.point is None or record.point == 1:
        return None
    name = who(role, mode)
    if record.point == 0:
        return f"{name} gave neither score nor label for any of the {record.n:,} rows."
    return f"{name} gave a score or a label for {percent(record.point)} of the {record.n:,} rows."


MEASURES = (
    Measure(
        part="coverage",
        name="scored",
        label="scored",
        unit="share",
        meaning="Share of rows whose verdict has a score or a label.",
        statistic=_statistic,
        order=10,
        finding=_finding,
        spread=spread.share(),
    ),
)
