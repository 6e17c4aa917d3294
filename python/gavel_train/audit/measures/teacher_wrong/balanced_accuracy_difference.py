"""Balanced accuracy of the contestant minus that of the judge, and whether it is no worse."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts, spread
from gavel_train.audit.intervals import DIFFERENCE
from gavel_train.audit.matched import judged, of_rarest, silent, with_few_differences
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Floats, Sample
from gavel_train.audit.statistic import Sums
from gavel_train.audit.wording import bounds, points, too_few, who
from gavel_train.contracts import MeasureRecord

# How much worse than the judge still counts as "not inferior": the bound of the default gate.
MARGIN = 0.05


def _statistic(sample: Sample) -> Sums | None:
    rows = judged(sample)
    if rows is None:
        return None
    present = np.unique(rows.truth_N).tolist()
    is_label = [rows.truth_N == label for label in present]
    gain_N = rows.gain_N

    def difference(sums: Floats) -> Floats:
        if len(present) < 2:
            return np.full(sums.shape[:-1], np.nan)
        return from_counts.ratio(sums[..., : len(present)], sums[..., len(present) :]).mean(axis=-1)

    return Sums.of_columns(
        rows.prompt_N,
        [*(gain_N * label_N for label_N in is_label), *is_label],
        difference,
        with_few_differences(DIFFERENCE, rows.prompt_N, gain_N),
        could_vary_N=of_rarest(rows.prompt_N, rows.truth_N),
        silent=silent(rows.prompt_N, rows.truth_N, gain_N, 1 / max(1, len(present))),
    )


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = found
    name, margin = who(role, mode), f"{100 * MARGIN:.0f} points"
    interval = f"({points(low)} to {points(high)})"
    rule = "where a row without a verdict is not right"
    if few := too_few(record):
        return (
            f"{name} differs from the judge by {points(point)} points {interval} of balanced accuracy, "
            f"{rule}; {few}."
        )
    if low > 0:
        return (
            f"{name} tracks the truth better than the judge: balanced accuracy is {points(point)} points "
            f"higher {interval}, {rule}."
        )
    if high < 0:
        less = f", but by less than {margin}" if low >= -MARGIN else ""
        return (
            f"{name} tracks the truth worse than the judge{less}: balanced accuracy is {points(-point)} "
            f"points lower ({points(-high)} to {points(-low)}), {rule}."
        )
    if low >= -MARGIN:
        return (
            f"{name} is not inferior to the judge by more than {margin}: its balanced accuracy differs by "
            f"{points(point)} points {interval}, {rule}."
        )
    return (
        f"{name} cannot be told apart from the judge by these rows: balanced accuracy differs by "
        f"{points(point)} points {interval}, {rule}."
    )


MEASURES = (
    Measure(
        part="teacher_wrong",
        name="balanced_accuracy_difference",
        label="balanced accuracy, minus the judge's",
        unit="difference",
        meaning="Balanced accuracy minus the judge's on the same rows; a row without a verdict is not right.",
        statistic=_statistic,
        chart=True,
        order=10,
        finding=_finding,
        spread=spread.difference_of_shares(),
    ),
)
