"""Agreement of labels with the truth beyond chance."""

from __future__ import annotations

from gavel_train.audit import from_counts, spread
from gavel_train.audit.matched import labels_of_truth, of_rarest
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    known = labels_of_truth(sample)
    if known is None:
        return None
    labels = len(sample.rows.labels)
    return Sums.of_table(
        known.prompt_N,
        known.reference_N,
        known.own_N,
        labels,
        from_counts.cohens_kappa_with_truth,
        from_counts.kappa_scale(known.reference_N, known.own_N, from_counts.differs(labels)),
        could_vary_N=of_rarest(known.prompt_N, known.reference_N),
        fixed=sample.answers.is_baseline,
    )


MEASURES = (
    Measure(
        part="truth",
        name="cohens_kappa",
        label="Cohen's kappa",
        unit="kappa",
        meaning="Agreement of labels with the truth beyond chance; 1 is perfect.",
        statistic=_statistic,
        chance=0.0,
        order=50,
        spread=spread.kappa_of_labels(),
    ),
)
