"""Agreement of labels with the truth beyond chance."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import KAPPA
from gavel_train.audit.matched import labels_of_truth, of_rarest
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Floats, Sample
from gavel_train.audit.statistic import Sums


def _value(cells: Floats) -> Floats:
    """Kappa; undefined where the truth is one label, though the formula gives 0."""
    labels = round(cells.shape[-1] ** 0.5)
    rows_of_label = cells.reshape(*cells.shape[:-1], labels, labels).sum(axis=-1)
    return np.where((rows_of_label > 0).sum(axis=-1) > 1, from_counts.cohens_kappa(cells), np.nan)


def _statistic(sample: Sample) -> Sums | None:
    known = labels_of_truth(sample)
    if known is None:
        return None
    labels = len(sample.rows.labels)
    return Sums.of_cells(
        known.prompt_N,
        known.reference_N * labels + known.own_N,
        labels**2,
        _value,
        KAPPA,
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
    ),
)
