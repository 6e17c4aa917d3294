import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from gavel_train.audit import metrics


def rows(seed: int, n: int = 300, prompts: int = 40):
    rng = np.random.default_rng(seed)
    judge = rng.integers(0, 10, n)
    grader = np.clip(judge + rng.integers(-2, 3, n), 0, 9)
    return [f"p{i}" for i in rng.integers(0, prompts, n)], judge, grader


def test_quadratic_weighted_kappa_equals_the_hand_computed_value():
    # Scores 0, 9, 0, 9 against 0, 9, 9, 9: observed 81/4, expected 81 * (2*3 + 2*1) / 16, so 1 - 1/2.
    found = metrics.quadratic_weighted_kappa(list("abcd"), [0, 9, 0, 9], [0, 9, 9, 9])
    assert found.point == pytest.approx(0.5)


def test_quadratic_weighted_kappa_equals_the_published_example():
    # Data set "anxiety" of R's package irr: kappa2(anxiety[, 2:3], "squared") is 0.2520325. R drops level 5,
    # which neither rater used, and so takes their 6 for the fifth of five levels.
    second = [3, 5, 4, 5, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4]
    third = [2, 1, 4, 4, 3, 2, 1, 5, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2]
    names = [str(i) for i in range(20)]
    found = metrics.quadratic_weighted_kappa(names, second, third).point
    assert found == pytest.approx(0.2520325, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_of_a_resample_of_prompts_equals_sklearn_on_the_resampled_rows(seed):
    prompts, judge, grader = rows(seed)
    statistic = metrics.quadratic_weighted_kappa(prompts, judge, grader)
    names = sorted(set(prompts))
    drawn = np.random.default_rng(seed).integers(0, len(names), len(names))
    counts = np.bincount(drawn, minlength=len(names)).astype(float)
    where = {name: np.flatnonzero(np.array(prompts) == name) for name in names}
    resampled = np.concatenate([where[names[i]] for i in drawn])
    expected = cohen_kappa_score(judge[resampled], grader[resampled], labels=range(10), weights="quadratic")
    assert statistic.of(counts) == pytest.approx(expected)
    assert statistic.point == pytest.approx(
        cohen_kappa_score(judge, grader, labels=range(10), weights="quadratic")
    )


def test_many_resamples_at_once_equal_each_by_itself():
    prompts, judge, grader = rows(1)
    statistic = metrics.quadratic_weighted_kappa(prompts, judge, grader)
    counts = np.random.default_rng(0).integers(0, 3, (7, len(statistic.sums_PK))).astype(float)
    assert statistic.of(counts) == pytest.approx(np.array([statistic.of(one) for one in counts]))


def test_a_constant_grader_has_kappa_zero_and_two_constants_have_none():
    assert metrics.quadratic_weighted_kappa(list("abc"), [0, 5, 9], [4, 4, 4]).point == pytest.approx(0)
    assert np.isnan(metrics.quadratic_weighted_kappa(list("abc"), [4, 4, 4], [4, 4, 4]).point)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_accuracy_equals_sklearn(seed):
    rng = np.random.default_rng(seed)
    truth, call = rng.random(200) < 0.7, rng.random(200) < 0.5
    found = metrics.rates([str(i) for i in range(200)], truth, call)
    assert found.balanced_accuracy.point == pytest.approx(balanced_accuracy_score(truth, call))
    assert found.accuracy.point == pytest.approx((truth == call).mean())
    assert found.true_positive_rate.point == pytest.approx(call[truth].mean())
    assert found.true_negative_rate.point == pytest.approx((~call[~truth]).mean())
    assert found.true_positive_rate.n == truth.sum()


def test_a_rate_without_rows_is_undefined_rather_than_zero():
    found = metrics.rates(["a", "b"], [True, True], [True, False])
    assert np.isnan(found.true_negative_rate.point)
    assert np.isnan(found.balanced_accuracy.point)


def test_the_difference_of_two_graders_is_the_difference_of_their_balanced_accuracies():
    rng = np.random.default_rng(3)
    truth, one, other = (rng.random(100) < 0.5 for _ in range(3))
    names = [str(i // 4) for i in range(100)]
    difference = metrics.balanced_accuracy_difference(names, truth, one, other)
    assert difference.point == pytest.approx(
        balanced_accuracy_score(truth, one) - balanced_accuracy_score(truth, other)
    )


def test_a_share_counts_only_the_rows_it_is_among():
    found = metrics.share(["a", "a", "b", "c"], [1, 0, 1, 1], among=[1, 1, 1, 0])
    assert (found.point, found.n, len(found.sums_PK)) == (pytest.approx(2 / 3), 3, 2)
