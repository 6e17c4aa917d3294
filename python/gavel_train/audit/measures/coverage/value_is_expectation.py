"""Values that are expectations over the ten digits."""

from __future__ import annotations

import numpy as np

from gavel_train.audit.matched import gives_scores
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share


def _statistic(sample: Sample) -> Share | None:
    answers = sample.answers
    if not gives_scores(sample, answers):
        return None
    known_N = np.isfinite(answers.value_N)
    return Share.of_rows(sample.rows.prompt_N[known_N], answers.is_expectation_N[known_N])


MEASURES = (
    Measure(
        part="coverage",
        name="value_is_expectation",
        label="value is an expectation",
        unit="share",
        meaning="Share of scored rows whose value is an expectation over the ten digits, not the score.",
        statistic=_statistic,
        sliced=False,
        order=40,
    ),
)
