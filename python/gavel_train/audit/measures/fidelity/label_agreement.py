"""Same label as the judge."""

from __future__ import annotations

from gavel_train.audit import spread
from gavel_train.audit.matched import labels_of_judge
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share
from gavel_train.audit.wording import bounds, percent, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Share | None:
    both = labels_of_judge(sample)
    return None if both is None else Share.of_rows(both.prompt_N, both.reference_N == both.own_N)


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = (percent(share) for share in found)
    return f"{who(role, mode)} gives the judge's label on {point} ({low} to {high}) of the {record.n:,} rows."


MEASURES = (
    Measure(
        part="fidelity",
        name="label_agreement",
        label="same label",
        unit="share",
        meaning="Share of rows to which both gave the same label: right or wrong, or A, B or tie.",
        statistic=_statistic,
        order=100,
        finding=_finding,
        spread=spread.share(),
    ),
)
