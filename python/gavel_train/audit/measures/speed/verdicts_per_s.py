"""Verdicts per second of wall time."""

from __future__ import annotations

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.speeds import speed
from gavel_train.audit.statistic import Plain


def _statistic(sample: Sample) -> Plain | None:
    grading = sample.answers.grading
    return None if grading is None else speed(sample, grading.verdicts_per_s)


MEASURES = (
    Measure(
        part="speed",
        name="verdicts_per_s",
        label="verdicts per second",
        unit="rate",
        meaning="Rows that the model was asked about, by wall time in seconds.",
        statistic=_statistic,
        sliced=False,
        order=10,
    ),
)
