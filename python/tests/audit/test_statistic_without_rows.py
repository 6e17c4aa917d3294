"""A contestant without one score has statistics over no rows: they say so, and none divides by zero."""

import numpy as np
import pytest

from gavel_train.audit.measure import all_measures
from gavel_train.audit.sample import POINTWISE, UNKNOWN, Answers, Rows, Sample


def _answers(role: str, said_N) -> Answers:
    """Verdicts "right" (1) or "wrong" (0); UNKNOWN: no score."""
    known_N = said_N != UNKNOWN
    value_N = np.where(known_N, np.where(said_N == 1, 9.0, 1.0), np.nan)
    return Answers(
        role=role,
        mode="single_token",
        kind_N=np.where(known_N, "scored", "unparseable"),
        score_N=value_N,
        value_N=value_N,
        p_pass_N=np.where(known_N, said_N.astype(float), np.nan),
        label_N=said_N,
        is_expectation_N=np.zeros(len(said_N), bool),
    )


@pytest.mark.parametrize("measure", all_measures(), ids=lambda one: f"{one.part}.{one.name}")
def test_a_contestant_without_scores_has_figures_of_no_rows_or_none(measure):
    judge_N = np.array([0, 1] * 60)
    rows = Rows(prompt_N=np.arange(120) // 2, truth_N=judge_N, labels=POINTWISE)
    silent = _answers("base", np.full(120, UNKNOWN))
    statistic = measure.statistic(Sample(rows, silent, _answers("judge", judge_N)))
    if statistic is None:
        return
    takes_all_rows = measure.part in ("coverage", "teacher_wrong") or measure.name.endswith("_of_all_rows")
    if takes_all_rows and statistic.n:
        # They count the rows without a score: as not scored, and as not right.
        assert statistic.n >= 60
        return
    with np.errstate(all="ignore"):
        interval = statistic.interval(0.95)
        assert statistic.n == 0
        assert np.isnan(statistic.point)
    assert interval.low is None and interval.high is None
