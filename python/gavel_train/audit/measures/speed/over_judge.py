"""Speed by the judge's speed."""

from __future__ import annotations

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.speeds import speed
from gavel_train.audit.statistic import Plain
from gavel_train.audit.wording import who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Plain | None:
    grading = sample.answers.grading
    judge = None if sample.judge is None else sample.judge.grading
    if grading is None or judge is None or sample.answers.role == "judge":
        return None
    own_rate, judge_rate = grading.verdicts_per_s, judge.verdicts_per_s
    return speed(sample, own_rate / judge_rate if own_rate is not None and judge_rate else None)


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    if record.point is None:
        return None
    return f"{who(role, mode)} gives {record.point:.1f} times as many verdicts per second as the judge."


MEASURES = (
    Measure(
        part="speed",
        name="over_judge",
        label="times the judge's speed",
        unit="ratio",
        meaning="Verdicts per second by those of the judge, each in the mode that it was asked in.",
        statistic=_statistic,
        sliced=False,
        order=30,
        finding=_finding,
    ),
)
