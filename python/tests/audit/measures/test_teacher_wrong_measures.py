import numpy as np
import pytest
from graded_rows import answers, named, random_sample, sample
from sklearn.metrics import accuracy_score, balanced_accuracy_score, matthews_corrcoef

from gavel_train.audit.sample import PAIRWISE, UNKNOWN
from gavel_train.contracts import MeasureRecord

EXACTLY = {"rel": 1e-12, "abs": 1e-12}


def point(rows, name):
    return named("teacher_wrong", name).statistic(rows).point


def labels(rows):
    """Truth, judge and grader; who gave no label has the wrong one."""
    truth, judge, grader = rows.rows.truth_N, rows.judge.label_N, rows.answers.label_N
    assert (judge == UNKNOWN).any() and (grader == UNKNOWN).any()
    return truth, *(np.where(said == UNKNOWN, 1 - truth, said) for said in (judge, grader))


@pytest.mark.parametrize("seed", range(5))
def test_what_the_grader_does_by_what_the_judge_does_equals_sklearn_where_no_verdict_is_not_right(seed):
    rows = random_sample(seed)
    truth, judge, grader = labels(rows)
    assert point(rows, "follows_truth") == pytest.approx((grader == truth)[judge != truth].mean(), **EXACTLY)
    assert point(rows, "strays") == pytest.approx((grader != truth)[judge == truth].mean(), **EXACTLY)
    phi = matthews_corrcoef(judge != truth, grader != truth)
    assert point(rows, "error_correlation") == pytest.approx(phi, **EXACTLY)
    difference = accuracy_score(truth, grader) - accuracy_score(truth, judge)
    assert point(rows, "accuracy_difference") == pytest.approx(difference, **EXACTLY)
    difference = balanced_accuracy_score(truth, grader) - balanced_accuracy_score(truth, judge)
    assert point(rows, "balanced_accuracy_difference") == pytest.approx(difference, **EXACTLY)


def test_differences_of_preferences_are_over_the_labels_of_the_truth():
    rng = np.random.default_rng(0)
    truth, judge, grader = rng.integers(0, 3, (3, 200))
    rows = sample(
        range(200), answers(label=grader), answers("judge", label=judge), truth=truth, labels=PAIRWISE
    )
    expected = balanced_accuracy_score(truth, grader) - balanced_accuracy_score(truth, judge)
    assert point(rows, "balanced_accuracy_difference") == pytest.approx(expected, **EXACTLY)


def test_a_grader_that_leaves_the_rows_it_would_get_wrong_unanswered_gains_nothing():
    # Judge and grader are wrong on the same 30 of 120 rows; the grader then stays silent on them.
    truth = np.arange(120) % 2
    said = np.where(np.arange(120) % 4 == 0, 1 - truth, truth)
    silent = np.where(said == truth, said, UNKNOWN)
    for name in ("accuracy_difference", "balanced_accuracy_difference", "follows_truth", "strays"):
        for judge, grader in ((said, silent), (silent, said)):
            rows = sample(np.arange(120) // 2, answers(label=grader), answers("judge", label=judge), truth)
            assert point(rows, name) == 0, name


def test_the_judge_is_not_compared_with_itself():
    rows = sample([0, 1], answers("judge", score=[9, 1]), truth=[1, 0])
    assert named("teacher_wrong", "follows_truth").statistic(rows) is None


def record(name, point, low, high, n=123):
    return MeasureRecord(
        id=f"teacher_wrong.grader.reasoned.{name}",
        slice="all",
        point=point,
        low=low,
        high=high,
        n=n,
        prompts=40,
        method="",
    )


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (
            (0.05, 0.012, 0.09),
            "The grader (reasoned) tracks the truth better than the judge: balanced accuracy is 5.0 points "
            "higher (1.2 to 9.0), where a row without a verdict is not right.",
        ),
        (
            (-0.08, -0.12, -0.03),
            "The grader (reasoned) tracks the truth worse than the judge: balanced accuracy is 8.0 points "
            "lower (3.0 to 12.0), where a row without a verdict is not right.",
        ),
        (
            (-0.02, -0.04, -0.01),
            "The grader (reasoned) tracks the truth worse than the judge, but by less than 5 points: "
            "balanced accuracy is 2.0 points lower (1.0 to 4.0), where a row without a verdict is not right.",
        ),
        (
            (0.0, -0.04, 0.04),
            "The grader (reasoned) is not inferior to the judge by more than 5 points: its balanced accuracy "
            "differs by 0.0 points (-4.0 to 4.0), where a row without a verdict is not right.",
        ),
        (
            (0.0, -0.06, 0.06),
            "The grader (reasoned) cannot be told apart from the judge by these rows: balanced accuracy "
            "differs by 0.0 points (-6.0 to 6.0), where a row without a verdict is not right.",
        ),
    ],
)
def test_the_finding_of_the_difference_says_what_its_interval_allows(bounds, text):
    measure = named("teacher_wrong", "balanced_accuracy_difference")
    assert measure.finding is not None
    found = measure.finding(record("balanced_accuracy_difference", *bounds), "grader", "reasoned")
    assert found == text


@pytest.mark.parametrize("name", ["balanced_accuracy_difference", "follows_truth", "error_correlation"])
def test_a_record_without_an_interval_has_no_finding(name):
    finding = named("teacher_wrong", name).finding
    assert finding is not None
    assert finding(record(name, 0.3, None, None), "grader", "reasoned") is None


def test_the_finding_of_follows_truth_names_the_rows_and_the_copy():
    finding = named("teacher_wrong", "follows_truth").finding
    assert finding is not None
    assert finding(record("follows_truth", 0.32, 0.21, 0.45), "base", "single_token") == (
        "The untrained base (single token) is right on 32.0% (21.0% to 45.0%) of the 123 rows that the judge "
        "does not get right, be its verdict wrong or missing; an exact copy of the judge is right on none."
    )
