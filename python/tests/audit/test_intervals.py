import time

import numpy as np
import pytest
from scipy import stats

from gavel_train.audit import intervals, metrics

SETTINGS = {"samples": 1000, "confidence": 0.95, "seed": 0}


def clustered(rng: np.random.Generator, prompts: int, each: int, share: float, spread: float):
    """Hits whose rate differs from prompt to prompt (beta), so that rows of one prompt are alike."""
    rate = rng.beta(share * spread, (1 - share) * spread, prompts)
    hits = rng.random((prompts, each)) < rate[:, None]
    return [f"p{p}" for p in range(prompts) for _ in range(each)], hits.ravel()


def test_the_interval_equals_scipys_bootstrap_over_rows_where_each_prompt_has_one_row():
    hits = np.random.default_rng(0).random(80) < 0.3
    statistic = metrics.share([f"{i:03}" for i in range(80)], hits)
    ours = intervals.interval(statistic, **SETTINGS)
    theirs = stats.bootstrap(
        (hits.astype(float),),
        np.mean,
        n_resamples=1000,
        confidence_level=0.95,
        batch=200,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high))


def test_rows_of_one_prompt_that_are_copies_give_no_narrower_interval():
    rng = np.random.default_rng(1)
    hits = rng.random(60) < 0.4
    once = intervals.interval(metrics.share([f"{i:03}" for i in range(60)], hits), **SETTINGS)
    copied = intervals.interval(
        metrics.share([f"{i:03}" for i in range(60) for _ in range(10)], np.repeat(hits, 10)), **SETTINGS
    )
    assert copied == pytest.approx(once)


def test_intervals_of_independent_rows_are_about_as_wide_as_published():
    # audit.md: a proportion near one half at n = 500 is known to +-0.044.
    hits = np.arange(500) % 2 == 0
    low, high = intervals.interval(metrics.share([str(i) for i in range(500)], hits), **SETTINGS)
    assert (high - low) / 2 == pytest.approx(0.044, abs=0.004)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(150):
        names, hits = clustered(rng, prompts=60, each=4, share=0.7, spread=3.0)
        low, high = intervals.interval(metrics.share(names, hits), samples=300, confidence=0.95, seed=seed)
        covered += low <= 0.7 <= high
    # Binomial(150, 0.95) is below 134 once in a thousand.
    assert covered >= 134


def test_a_share_of_one_gets_the_exact_interval_with_prompts_as_trials():
    statistic = metrics.share([str(i // 3) for i in range(90)], np.ones(90))
    low, high = intervals.interval(statistic, **SETTINGS)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 30)), 1.0)


def test_few_prompts_give_a_point_and_no_interval():
    found = intervals.measure(
        metrics.share([str(i % 19) for i in range(190)], np.arange(190) % 2), **SETTINGS
    )
    assert (found.point, found.low, found.high, found.n) == (0.5, None, None, 190)


def test_a_measure_without_rows_is_null():
    found = intervals.measure(metrics.share([], []), **SETTINGS)
    assert (found.point, found.low, found.high, found.n) == (None, None, None, 0)


def test_an_interval_stands_where_some_resamples_are_undefined():
    # Four wrong rows: about 2% of the resamples of prompts have none of them, and no balanced accuracy.
    truth = np.arange(80) >= 4
    call = np.arange(80) % 5 != 0
    found = intervals.measure(
        metrics.rates([str(i) for i in range(80)], truth, call).balanced_accuracy, **SETTINGS
    )
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.point < found.high


def test_the_same_seed_gives_the_same_interval():
    statistic = metrics.share([str(i % 30) for i in range(100)], np.arange(100) % 3 == 0)
    assert intervals.interval(statistic, **SETTINGS) == intervals.interval(statistic, **SETTINGS)


def test_two_thousand_resamples_of_a_thousand_rows_take_seconds():
    rng = np.random.default_rng(0)
    judge = rng.integers(0, 10, 1000)
    statistic = metrics.quadratic_weighted_kappa([str(i // 4) for i in range(1000)], judge, (judge + 1) % 10)
    started = time.process_time()
    intervals.interval(statistic, samples=2000, confidence=0.95, seed=0)
    assert time.process_time() - started < 5
