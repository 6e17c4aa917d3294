"""Correlation of labels with the truth."""

from __future__ import annotations

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import CORRELATION
from gavel_train.audit.matched import labels_of_truth, of_rarest
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import POINTWISE, Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    known = labels_of_truth(sample)
    if known is None or sample.rows.labels != POINTWISE:
        return None
    return Sums.of_table(
        known.prompt_N,
        known.reference_N,
        known.own_N,
        2,
        from_counts.phi,
        CORRELATION,
        could_vary_N=of_rarest(known.prompt_N, known.reference_N),
    )


MEASURES = (
    Measure(
        part="truth",
        name="matthews_correlation",
        label="Matthews correlation",
        unit="correlation",
        meaning="Correlation of right and wrong as said with right and wrong in truth; a constant has none.",
        statistic=_statistic,
        chance=0.0,
        order=55,
    ),
)
