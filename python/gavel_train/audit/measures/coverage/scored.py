"""Verdicts with a score."""

from __future__ import annotations

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    if sample.answers.is_baseline:
        return None
    return Share.of_rows(sample.rows.prompt_N, sample.answers.kind_N == "scored")


MEASURES = (
    Measure(
        part="coverage",
        name="scored",
        label="scored",
        unit="share",
        meaning="Share of rows whose verdict has a score or a label.",
        statistic=_statistic,
        order=10,
    ),
)
