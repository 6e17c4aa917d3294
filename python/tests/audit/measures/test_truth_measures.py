import numpy as np
import pytest
from graded_rows import answers, named, random_sample, sample
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    recall_score,
    roc_auc_score,
)

from gavel_train.audit.sample import PAIRWISE

EXACTLY = {"rel": 1e-12, "abs": 1e-12}
NAMES = ("balanced_accuracy", "accuracy", "true_positive_rate", "true_negative_rate", "cohens_kappa", "auroc")


def statistic(rows, name):
    return named("truth", name).statistic(rows)


def point(rows, name):
    return statistic(rows, name).point


@pytest.mark.parametrize("seed", range(5))
def test_measures_of_labels_equal_sklearn(seed):
    rows = random_sample(seed)
    known = rows.answers.label_N >= 0
    truth, said = rows.rows.truth_N[known], rows.answers.label_N[known]
    assert point(rows, "balanced_accuracy") == pytest.approx(balanced_accuracy_score(truth, said), **EXACTLY)
    assert point(rows, "accuracy") == pytest.approx(accuracy_score(truth, said), **EXACTLY)
    assert point(rows, "true_positive_rate") == pytest.approx(recall_score(truth, said), **EXACTLY)
    assert point(rows, "true_negative_rate") == pytest.approx(
        recall_score(truth, said, pos_label=0), **EXACTLY
    )
    assert point(rows, "cohens_kappa") == pytest.approx(cohen_kappa_score(truth, said), **EXACTLY)
    assert statistic(rows, "true_positive_rate").n == truth.sum()


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_of_labels_with_the_truth_equals_sklearn(seed):
    rows = random_sample(seed)
    known = rows.answers.label_N >= 0
    expected = matthews_corrcoef(rows.rows.truth_N[known], rows.answers.label_N[known])
    assert point(rows, "matthews_correlation") == pytest.approx(expected, **EXACTLY)


def test_a_constant_label_has_no_correlation_with_the_truth():
    rows = sample(range(40), answers(label=np.ones(40, dtype=int)), truth=np.arange(40) % 2)
    assert np.isnan(point(rows, "matthews_correlation"))
    assert (
        named("truth", "matthews_correlation").statistic(
            sample(range(40), answers(label=np.arange(40) % 3), truth=np.arange(40) % 2, labels=PAIRWISE)
        )
        is None
    )


@pytest.mark.parametrize("seed", range(5))
def test_auroc_of_values_with_ties_equals_sklearn(seed):
    rows = random_sample(seed)
    known = np.isfinite(rows.answers.value_N)
    expected = roc_auc_score(rows.rows.truth_N[known], rows.answers.value_N[known])
    assert point(rows, "auroc") == pytest.approx(expected, **EXACTLY)


def test_auroc_of_a_contestant_without_values_is_that_of_its_probability_of_a_pass():
    rng = np.random.default_rng(0)
    truth, p_pass = rng.integers(0, 2, 100), rng.random(100)
    rows = sample(range(100), answers(label=(p_pass > 0.5), p_pass_N=p_pass), truth=truth)
    assert point(rows, "auroc") == pytest.approx(roc_auc_score(truth, p_pass), **EXACTLY)


@pytest.mark.parametrize("labels_that_occur", [2, 3])
def test_preferences_among_pairs_are_measured_over_the_labels_that_occur(labels_that_occur):
    rng = np.random.default_rng(1)
    truth, said = rng.integers(0, labels_that_occur, 150), rng.integers(0, 3, 150)
    rows = sample(range(150), answers(label=said), truth=truth, labels=PAIRWISE)
    recalls = recall_score(truth, said, labels=range(labels_that_occur), average=None)
    assert point(rows, "balanced_accuracy") == pytest.approx(recalls.mean(), **EXACTLY)
    assert point(rows, "accuracy") == pytest.approx(accuracy_score(truth, said), **EXACTLY)
    assert point(rows, "cohens_kappa") == pytest.approx(cohen_kappa_score(truth, said), **EXACTLY)
    for name in ("true_positive_rate", "true_negative_rate", "auroc"):
        assert statistic(rows, name) is None


def test_one_class_leaves_what_needs_two_undefined():
    rows = sample([0, 1], answers(score=[9, 1]), truth=[1, 1])
    kappas = ("cohens_kappa", "cohens_kappa_of_all_rows")
    for name in ("true_negative_rate", "balanced_accuracy", *kappas, "auroc"):
        found = statistic(rows, name)
        assert np.isnan(found.point), name
        interval = found.interval(0.95)
        assert (interval.low, interval.high) == (None, None)
        assert interval.method.startswith("no interval")
    assert point(rows, "accuracy") == 0.5


def test_without_any_truth_nothing_is_measured():
    rows = sample([0, 1], answers(score=[9, 1]))
    assert [name for name in NAMES if statistic(rows, name) is not None] == []


def test_always_pass_has_exactly_what_chance_gives():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 100)
    baseline = answers("always_pass", label=np.ones(100), mode="constant", is_baseline=True)
    rows = sample(np.arange(100) // 4, baseline, truth=truth)
    for name, chance in (("balanced_accuracy", 0.5), ("cohens_kappa", 0.0), ("auroc", 0.5)):
        interval = statistic(rows, name).interval(0.95)
        assert (interval.low, interval.high) == (chance, chance), name
        assert interval.method.startswith("exact")
    assert point(rows, "accuracy") == pytest.approx(truth.mean())
