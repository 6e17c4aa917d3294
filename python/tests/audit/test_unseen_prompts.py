"""Prompts that differ from all that were seen, and are too rare to be among them, are allowed for."""

from dataclasses import dataclass

import numpy as np
import pytest
from graded_rows import answers, named, sample

from gavel_train.audit.sample import Sample

REPLICATES = 400
# 2.5% and 95%, and two standard errors of 400 replicates.
MOST_PASSED, LEAST_COVERED = 0.041, 0.928


def reversed_order(rng) -> Sample:
    """40 prompts of 2 rows, whose order the grader reverses in 4.55% of prompts: 0.909."""
    prompt, judge = np.repeat(np.arange(40), 2), np.tile([3, 7], 40)
    is_reversed = (rng.random(40) < 0.0455)[prompt]
    return sample(
        prompt, answers(score=np.where(is_reversed, 10 - judge, judge)), answers("judge", score=judge)
    )


def far_misses(rng) -> Sample:
    """200 prompts of which the judge says 7 or 8; the grader copies it, and says 0 on 1%: 0.464."""
    judge = rng.integers(7, 9, 200)
    grader = np.where(rng.random(200) < 0.01, 0, judge)
    return sample(np.arange(200), answers(score=grader), answers("judge", score=judge))


def whole_prompts_unscored(rng) -> Sample:
    """40 prompts of 12 rows: 5.6% of prompts have no score at all, and 0.3% of the other rows: 0.941."""
    prompt = np.repeat(np.arange(40), 12)
    unscored = (rng.random(40) < 0.056)[prompt] | (rng.random(480) < 0.003)
    return sample(prompt, answers(score=np.where(unscored, np.nan, 5)))


@dataclass(frozen=True)
class Case:
    """A measure, samples of known value, and a bound that this value is below."""

    measure: tuple[str, str]
    draw: object
    value: float
    at_least: float


# Squared distances of 7 and 8 from 0 with 1%; by chance as much, and 0.5 between 7 and 8 otherwise.
_FAR = (49 + 64) / 2
KAPPA = 1 - 0.01 * _FAR / (0.01 * _FAR + 0.99 * 0.5)
CASES = [
    Case(("fidelity", "within_prompt_rank_correlation"), reversed_order, 1 - 2 * 0.0455, 0.91),
    Case(("fidelity", "quadratic_weighted_kappa"), far_misses, KAPPA, 0.6),
    Case(("coverage", "scored"), whole_prompts_unscored, (1 - 0.056) * (1 - 0.003), 0.95),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.draw.__name__)
def test_rare_prompts_that_are_not_among_the_rows_pass_no_gate(case):
    rng, measure = np.random.default_rng(1), named(*case.measure)
    found = [measure.statistic(case.draw(rng)).interval(0.95) for _ in range(REPLICATES)]
    assert case.value < case.at_least
    assert np.mean([one.low >= case.at_least for one in found]) <= MOST_PASSED
    assert np.mean([one.low <= case.value <= one.high for one in found]) >= LEAST_COVERED


MISSED = [
    ("coverage", "scored"),
    ("fidelity", "quadratic_weighted_kappa"),
    ("fidelity", "exact"),
    ("truth", "balanced_accuracy"),
    ("truth", "cohens_kappa"),
    ("teacher_wrong", "accuracy_difference"),
    ("teacher_wrong", "balanced_accuracy_difference"),
]
# Of a difference that more prompts show, their spread is the measure.
FEW_MISSES = [
    (*one, misses) for one in MISSED for misses in (1, 2, 5) if misses == 1 or "difference" not in one[1]
]


@pytest.mark.parametrize(("part", "name", "misses"), FEW_MISSES)
def test_no_miss_raises_the_low_bound(part, name, misses):
    prompt, judge = np.repeat(np.arange(60), 12), np.tile([0, 3, 6, 9], 180)
    truth = judge >= 5
    grader, kind = judge.copy(), np.full(720, "scored")
    # In as many prompts, on rows of either label; the truth is the judge's.
    missed = np.arange(misses) * 13
    grader[missed] = 9 - grader[missed]
    kind[missed] = "refused"

    def low(score, kind_N):
        rows = sample(prompt, answers(score=score, kind_N=kind_N), answers("judge", score=judge), truth)
        return named(part, name).statistic(rows).interval(0.95).low

    assert low(grader, kind) <= low(judge, np.full(720, "scored"))


def test_with_200_prompts_of_independent_rows_the_intervals_of_shares_are_those_of_the_rows_seen():
    rng = np.random.default_rng(2)
    for share in (0.8, 0.95, 0.97):
        scored = np.where(rng.random(500) < share, 5, np.nan)
        found = named("coverage", "scored").statistic(sample(np.arange(500) % 200, answers(score=scored)))
        assert found.interval(0.95).method == "Korn-Graubard"
