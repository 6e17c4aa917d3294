"""Whether the contestant errs where the judge errs."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import CORRELATION
from gavel_train.audit.matched import judged
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums
from gavel_train.audit.wording import bounds, too_few, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Sums | None:
    rows = judged(sample)
    if rows is None:
        return None
    judge_wrong_N, own_wrong_N = ~rows.judge_right_N, ~rows.own_right_N
    return Sums.of_table(
        rows.prompt_N,
        judge_wrong_N.astype(np.int64),
        own_wrong_N.astype(np.int64),
        2,
        from_counts.phi,
        CORRELATION,
        could_vary_N=judge_wrong_N | own_wrong_N,
    )


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = found
    name, figure = who(role, mode), f"{point:.2f} ({low:.2f} to {high:.2f})"
    interval = f"their errors correlate by {figure}, where a row without a verdict is an error"
    if few := too_few(record):
        return f"{name} does not show whether it errs where the judge errs: {interval}; {few}."
    if low > 0:
        return f"{name} tends to err on the rows on which the judge errs: {interval}."
    if high < 0:
        return f"{name} tends to err on other rows than the judge: {interval}."
    return f"{name} does not show on these rows whether it errs where the judge errs: {interval}."


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="error_correlation",
        label="correlation of errors",
        unit="correlation",
        meaning=(
            "Correlation (phi) of its errors with the judge's: a copy has 1, independent errors have 0; a "
            "row without a verdict is an error."
        ),
        statistic=_statistic,
        chance=0.0,
        order=40,
        finding=_finding,
    ),
)
