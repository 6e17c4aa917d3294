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
from gavel_train.audit.wording import bounds, percent, too_few, who
from gavel_train.contracts import MeasureRecord


def _statistic(sample: Sample) -> Sums | None:
    known = labels_of_truth(sample)
    if known is None:
        return None
    labels = len(sample.rows.labels)
    present = np.unique(known.reference_N)
    return Sums.of_table(
        known.prompt_N,
        known.reference_N,
        known.own_N,
        labels,
        from_counts.balanced_accuracy(present.tolist()),
        SHARE,
        could_vary_N=of_rarest(known.prompt_N, known.reference_N),
        fixed=sample.answers.is_baseline,
        silent=silent(
            known.prompt_N, known.reference_N, known.own_N == known.reference_N, 1 / max(1, len(present))
        ),
    )


def _finding(record: MeasureRecord, role: str, mode: str, chance: float) -> str | None:
    found = bounds(record)
    if found is None or role in BASELINES:
        return None
    point, low, high = found
    name = who(role, mode)
    figure = f"{percent(point)} ({percent(low)} to {percent(high)}), where chance has {percent(chance)}"
    if few := too_few(record):
        return f"{name} has a balanced accuracy of {figure}; {few}."
    if low > chance:
        return f"{name} tracks the truth better than chance: its balanced accuracy is {figure}."
    if high < chance:
        return f"{name} tracks the truth worse than chance: its balanced accuracy is {figure}."
    return f"{name} cannot be told from chance by the truth: its balanced accuracy is {figure}."


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
        finding_by_chance=_finding,
        spread=spread.balanced_accuracy(),
    ),
)
