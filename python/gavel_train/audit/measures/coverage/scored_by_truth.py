"""Verdicts with a score among right and among wrong completions."""

from __future__ import annotations

from collections.abc import Callable

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import POINTWISE, UNKNOWN, Sample
from gavel_train.audit.statistic import Share


def _share_among(label: int) -> Callable[[Sample], Share | None]:
    def statistic(sample: Sample) -> Share | None:
        truth_N = sample.rows.truth_N
        known = sample.rows.labels == POINTWISE and bool((truth_N != UNKNOWN).any())
        if sample.answers.is_baseline or not known:
            return None
        among_N = truth_N == label
        return Share.of_rows(sample.rows.prompt_N[among_N], sample.answers.kind_N[among_N] == "scored")

    return statistic


MEASURES = tuple(
    Measure(
        part="coverage",
        name=f"scored_among_{label}",
        label=f"scored among {label} completions",
        unit="share",
        meaning=f"Share of the {label} completions whose verdict has a score or a label.",
        statistic=_share_among(code),
        order=11 + place,
    )
    for place, (code, label) in enumerate(sorted(enumerate(POINTWISE), reverse=True))
)
