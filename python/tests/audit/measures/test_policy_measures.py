import numpy as np
import pytest

from gavel_train.audit.measure import policy_measures
from gavel_train.audit.sample import PolicySample


def statistics(sample):
    return {one.info.name: one.statistic(sample) for one in policy_measures()}


def test_the_gain_is_the_difference_of_accuracies_with_a_pair_for_each_prompt():
    rng = np.random.default_rng(0)
    prompt = np.repeat(np.arange(30), 8)
    is_last = np.tile(np.arange(8) >= 4, 30)
    right = rng.random(240) < np.where(is_last, 0.8, 0.5)
    found = statistics(PolicySample(prompt, right, is_last))
    first, last = right[~is_last].mean(), right[is_last].mean()
    assert found["accuracy_first"].point == pytest.approx(first)
    assert found["accuracy_last"].point == pytest.approx(last)
    assert found["gain"].point == pytest.approx(last - first)
    by_prompt = [
        right[(prompt == p) & is_last].mean() - right[(prompt == p) & ~is_last].mean() for p in range(30)
    ]
    # With as many completions of each prompt, the jackknife's error is that of a mean over prompts.
    error = np.std(by_prompt, ddof=1) / np.sqrt(30)
    interval = found["gain"].interval(0.95)
    assert (interval.high - interval.low) / 2 / error == pytest.approx(2.05, abs=0.15)


def test_without_a_last_checkpoint_there_is_no_gain():
    found = statistics(PolicySample(np.arange(3), np.ones(3, dtype=bool), np.zeros(3, dtype=bool)))
    assert found["gain"] is None
    assert found["accuracy_last"] is None
    assert found["accuracy_first"].point == 1.0
