"""Agreement of labels with the judge beyond chance."""

from __future__ import annotations

from gavel_train.audit import from_counts, spread
from gavel_train.audit.matched import labels_of_judge, outside_most_common
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    both = labels_of_judge(sample)
    if both is None:
        return None
    labels = len(sample.rows.labels)
    return Sums.of_table(
        both.prompt_N,
        both.reference_N,
        both.own_N,
        labels,
        from_counts.cohens_kappa,
        from_counts.kappa_scale(both.reference_N, both.own_N, from_counts.differs(labels)),
        could_vary_N=outside_most_common(both.reference_N),
    )


MEASURES = (
    Measure(
        part="fidelity",
        name="label_cohens_kappa",
        label="Cohen's kappa of labels",
        unit="kappa",
        meaning="Agreement of labels with the judge beyond chance; 1 is perfect.",
        statistic=_statistic,
        chance=0.0,
        order=110,
        spread=spread.kappa_of_labels(),
    ),
)
