"""Intervals of measures against populations whose values are known; rows of one prompt are alike."""

import numpy as np
import pytest
from graded_rows import answers, named, sample
from scipy import stats

REPLICATES = 300
# 95% intervals that cover 93% of 300 replicates are within two standard errors.
FEWEST = 0.93


def drawn(rng, prompts, rows, near=0.6):
    """Judge and grader see a quality of prompt and row; the grader shares the part `near` of its noise."""
    prompt = np.sort(np.concatenate([np.arange(prompts), rng.integers(0, prompts, rows - prompts)]))
    easy = rng.normal(0, 1.2, prompts)[prompt]
    truth = (easy + rng.normal(0, 1.5, rows) > 0).astype(int)
    seen = 4.5 + 1.6 * (2 * truth - 1) + easy
    common = rng.normal(0, 2, rows)
    shift = rng.normal(0, 0.8, prompts)[prompt]
    judge = np.clip(seen + common + rng.normal(0, 1, rows), 0, 9)
    grader = np.clip(seen + near * common + shift + rng.normal(0, 1.6, rows), 0, 9)
    return sample(
        prompt,
        answers(score=np.rint(grader), value=np.round(grader, 1)),
        answers("judge", score=np.rint(judge), value=np.round(judge, 1)),
        truth,
    )


MEASURES = [
    ("fidelity", "quadratic_weighted_kappa"),
    ("fidelity", "exact"),
    ("fidelity", "bias"),
    ("fidelity", "spearman"),
    ("fidelity", "kendall_tau_b"),
    ("fidelity", "within_prompt_rank_correlation"),
    ("truth", "balanced_accuracy"),
    ("truth", "true_negative_rate"),
    ("truth", "cohens_kappa"),
    ("truth", "auroc"),
    ("teacher_wrong", "follows_truth"),
    ("teacher_wrong", "error_correlation"),
    ("teacher_wrong", "balanced_accuracy_difference"),
]


@pytest.fixture(scope="module")
def population():
    return drawn(np.random.default_rng(0), prompts=80_000, rows=200_000)


@pytest.fixture(scope="module")
def replicates():
    rng = np.random.default_rng(1)
    return [drawn(rng, prompts=40, rows=100) for _ in range(REPLICATES)]


@pytest.mark.parametrize(("part", "name"), MEASURES)
def test_intervals_of_40_prompts_and_100_rows_cover_the_value_of_the_population(
    part, name, population, replicates
):
    measure = named(part, name)
    value = measure.statistic(population).point
    found = [measure.statistic(rows).interval(0.95) for rows in replicates]
    known = [one for one in found if one.low is not None]
    assert len(known) > 0.9 * REPLICATES
    assert np.mean([one.low <= value <= one.high for one in known]) >= FEWEST


@pytest.mark.parametrize("worse", [0.03, 0.06])
def test_a_copy_that_errs_on_few_rows_more_is_seldom_taken_for_better_than_it_is(worse):
    # All differences go one way: where t alone is used, its low bound is too high in 5 to 8% of such samples.
    rng = np.random.default_rng(2)
    measure = named("teacher_wrong", "accuracy_difference")
    lows = []
    for _ in range(600):
        prompt, truth = np.arange(200) // 2, rng.integers(0, 2, 200)
        judge = np.where(rng.random(200) < 0.8, truth, 1 - truth)
        grader = np.where(rng.random(200) < worse, 1 - truth, judge)
        rows = sample(prompt, answers(label=grader), answers("judge", label=judge), truth)
        lows.append(measure.statistic(rows).interval(0.95).low)
    # Wrong where the judge is right, less right where it is wrong: -0.8 and 0.2 of the flips add up.
    assert np.mean(np.array(lows) > -0.8 * worse) <= 0.04


@pytest.mark.parametrize(("part", "name"), MEASURES[:1] + MEASURES[3:5] + MEASURES[9:10] + MEASURES[-1:])
def test_intervals_agree_with_a_bootstrap_over_prompts(part, name):
    measure = named(part, name)
    rows = drawn(np.random.default_rng(3), prompts=400, rows=900)
    rng = np.random.default_rng(4)
    where = [np.flatnonzero(rows.rows.prompt_N == prompt) for prompt in range(400)]
    points = []
    for _ in range(300):
        chosen = [where[prompt] for prompt in rng.integers(0, 400, 400)]
        again = rows.take(np.concatenate(chosen))
        points.append(measure.statistic(again).point)
    found = measure.statistic(rows).interval(0.95)
    # 300 resamples know a standard error to 4%.
    assert (found.high - found.low) / 2 / stats.norm.ppf(0.975) == pytest.approx(np.std(points), rel=0.13)
