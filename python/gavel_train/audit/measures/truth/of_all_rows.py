"""Agreement with the truth over all rows: no verdict agrees with nothing."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.matched import of_rarest
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import UNKNOWN, Ints, Sample
from gavel_train.audit.statistic import Share, Sums


def _known(sample: Sample) -> tuple[Ints, Ints, Ints] | None:
    """Prompt, true label and label of each row with a known truth; no label is a code after the labels.

    None without one label: coverage says that nothing was said, and there is nothing to compare.
    """
    truth_N, own_N = sample.rows.truth_N, sample.answers.label_N
    known_N = truth_N != UNKNOWN
    if sample.answers.is_baseline or not (known_N & (own_N != UNKNOWN)).any():
        return None
    said_N = np.where(own_N == UNKNOWN, len(sample.rows.labels), own_N)
    return sample.rows.prompt_N[known_N], truth_N[known_N], said_N[known_N]


def _accuracy(sample: Sample) -> Share | None:
    known = _known(sample)
    if known is None:
        return None
    prompt_N, truth_N, said_N = known
    return Share.of_rows(prompt_N, truth_N == said_N)


def _kappa(sample: Sample) -> Sums | None:
    known = _known(sample)
    if known is None:
        return None
    prompt_N, truth_N, said_N = known
    codes = len(sample.rows.labels) + 1
    return Sums.of_table(
        prompt_N,
        truth_N,
        said_N,
        codes,
        from_counts.cohens_kappa_with_truth,
        from_counts.kappa_scale(truth_N, said_N, from_counts.differs(codes)),
        could_vary_N=of_rarest(prompt_N, truth_N),
    )


MEASURES = (
    Measure(
        part="truth",
        name="accuracy_of_all_rows",
        label="accuracy of all rows",
        unit="share",
        meaning="Share of all rows that got their true label; a row without a verdict did not.",
        statistic=_accuracy,
        order=90,
    ),
    Measure(
        part="truth",
        name="cohens_kappa_of_all_rows",
        label="Cohen's kappa of all rows",
        unit="kappa",
        meaning="Agreement with the truth beyond chance, where no verdict is a label of its own.",
        statistic=_kappa,
        chance=0.0,
        order=91,
    ),
)
