"""Speeds of grading passes as statistics."""

from __future__ import annotations

from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Plain


def speed(sample: Sample, value: float | None) -> Plain:
    """A speed over the rows that the model was asked about; None: it was asked about none."""
    asked = 0 if sample.answers.grading is None else sample.answers.grading.asked
    prompts = len(set(sample.rows.prompt_N.tolist()))
    if value is None:
        return Plain(float("nan"), asked, prompts, "no speed is known: answers came from the ledger")
    return Plain(value, asked, prompts, "measured once")
