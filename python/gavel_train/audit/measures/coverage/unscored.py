"""Verdicts without a score, by kind."""

from __future__ import annotations

from collections.abc import Callable

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share

# Kinds of the contract's VerdictKind without "scored", and what no line in a file is.
_KINDS = {
    "unparseable": "whose reply has no score in it",
    "off_scale": "with too much probability outside the digits",
    "low_confidence": "below the panel's threshold of confidence",
    "abstained": "on which the model said that it abstains",
    "refused": "that the model refused",
    "failed": "whose call kept failing while others succeeded",
    "missing": "that a file of verdicts does not name",
}


def _share_of(kind: str) -> Callable[[Sample], Share | None]:
    def statistic(sample: Sample) -> Share | None:
        answers = sample.answers
        is_kind_N = answers.kind_N == kind
        never = kind == "missing" and answers.grading is not None and not is_kind_N.any()
        return None if answers.is_baseline or never else Share.of_rows(sample.rows.prompt_N, is_kind_N)

    return statistic


MEASURES = tuple(
    Measure(
        part="coverage",
        name=kind,
        label=kind.replace("_", " "),
        unit="share",
        meaning=f"Share of rows {what}.",
        statistic=_share_of(kind),
        sliced=False,
        order=20 + place,
    )
    for place, (kind, what) in enumerate(_KINDS.items())
)
