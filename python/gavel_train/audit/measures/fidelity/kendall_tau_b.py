"""Agreement in the order of scores."""

from __future__ import annotations

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import CORRELATION
from gavel_train.audit.matched import digits, outside_most_common
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import SCORES, Sample
from gavel_train.audit.statistic import Sums


def _statistic(sample: Sample) -> Sums | None:
    both = digits(sample)
    if both is None:
        return None
    return Sums.of_table(
        both.prompt_N,
        both.judge_N,
        both.own_N,
        SCORES,
        from_counts.kendall_tau_b,
        CORRELATION,
        could_vary_N=outside_most_common(both.judge_N),
    )


MEASURES = (
    Measure(
        part="fidelity",
        name="kendall_tau_b",
        label="Kendall's tau-b",
        unit="correlation",
        meaning="How often both put two rows in the same order rather than in opposite ones, by score.",
        statistic=_statistic,
        chance=0.0,
        order=70,
    ),
)
