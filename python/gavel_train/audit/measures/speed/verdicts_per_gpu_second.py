"""Verdicts per second and GPU."""

from __future__ import annotations

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.speeds import speed
from gavel_train.audit.statistic import Plain


def _statistic(sample: Sample) -> Plain | None:
    grading = sample.answers.grading
    if grading is None or grading.gpus is None:
        return None
    return speed(sample, None if grading.verdicts_per_s is None else grading.verdicts_per_s / grading.gpus)


MEASURES = (
    Measure(
        part="speed",
        name="verdicts_per_gpu_second",
        label="verdicts per GPU-second",
        unit="rate",
        meaning="Verdicts per second by the number of GPUs that served the model, where that is known.",
        statistic=_statistic,
        sliced=False,
        order=20,
    ),
)
