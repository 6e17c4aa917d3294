"""Mean share of each true label that got it."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts, spread
from gavel_train.audit.baselines import BASELINES
from gavel_train.audit.intervals import SHARE
from gavel_train.audit.matched import labels_of_truth, of_rarest, silent
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums
from gavel_train.audit.wording import bounds, percent, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Sums | None:
    known = labels_of_truth(sample)
    if known is None:
        return None
    labels = len(sample.rows.labels)
    present = np.unique(known.reference_N)
    return Sums.of_cells(
        known.prompt_N,
        known.reference_N * labels + known.own_N,
        labels**2,
        from_counts.balanced_accuracy(present.tolist()),
        SHARE,
        could_vary_N=of_rarest(known.prompt_N, known.reference_N),
        fixed=sample.answers.is_baseline,
        silent=silent(
            known.prompt_N, known.reference_N, known.own_N == known.reference_N, 1 / max(1, len(present))
        ),
    )


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None or role in BASELINES:
        return None
    point, low, high = (percent(share) for share in found)
    return f"{who(role, mode)} tracks the truth with a balanced accuracy of {point} ({low} to {high})."


MEASURES = (
    Measure(
        part="truth",
        name="balanced_accuracy",
        label="balanced accuracy",
        unit="share",
        meaning="Mean over the true labels of the share of their rows that got it; constants get chance.",
        statistic=_statistic,
        chance=lambda labels: 1 / labels,
        chart=True,
        order=10,
        finding=_finding,
        spread=spread.balanced_accuracy(),
    ),
)
