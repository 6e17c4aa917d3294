import numpy as np
import pytest
from graded_rows import answers, both_scored, named, random_sample, sample
from scipy import stats
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from gavel_train.audit.sample import PAIRWISE

EXACTLY = {"rel": 1e-12, "abs": 1e-12}


def point(rows, name):
    return named("fidelity", name).statistic(rows).point


@pytest.mark.parametrize("seed", range(5))
def test_agreement_of_scores_equals_sklearn(seed):
    rows = random_sample(seed)
    chosen, _ = both_scored(rows)
    judge, grader = rows.judge.score_N[chosen].astype(int), rows.answers.score_N[chosen].astype(int)
    kappa = cohen_kappa_score(judge, grader, labels=range(10), weights="quadratic")
    assert point(rows, "quadratic_weighted_kappa") == pytest.approx(kappa, **EXACTLY)
    assert point(rows, "exact") == pytest.approx((judge == grader).mean(), **EXACTLY)
    assert point(rows, "within_1") == pytest.approx((abs(judge - grader) <= 1).mean(), **EXACTLY)
    labels = cohen_kappa_score(judge >= 5, grader >= 5)
    assert point(rows, "label_cohens_kappa") == pytest.approx(labels, **EXACTLY)
    assert point(rows, "label_agreement") == pytest.approx(((judge >= 5) == (grader >= 5)).mean(), **EXACTLY)


@pytest.mark.parametrize("seed", range(5))
def test_distances_and_ranks_are_those_of_values_and_equal_sklearn_and_scipy(seed):
    rows = random_sample(seed)
    chosen, _ = both_scored(rows)
    judge, grader = rows.judge.value_N[chosen], rows.answers.value_N[chosen]
    assert point(rows, "mean_absolute_error") == pytest.approx(mean_absolute_error(judge, grader), **EXACTLY)
    assert point(rows, "bias") == pytest.approx((grader - judge).mean(), **EXACTLY)
    assert point(rows, "spearman") == pytest.approx(stats.spearmanr(judge, grader).statistic, **EXACTLY)


@pytest.mark.parametrize("seed", range(5))
def test_tau_of_scores_equals_scipy(seed):
    rows = random_sample(seed)
    chosen, _ = both_scored(rows)
    expected = stats.kendalltau(rows.judge.score_N[chosen], rows.answers.score_N[chosen]).statistic
    assert point(rows, "kendall_tau_b") == pytest.approx(expected, **EXACTLY)


@pytest.mark.parametrize(("seed", "prompts"), [(0, 40), (1, 100), (2, 2)])
def test_rank_correlation_within_a_prompt_is_the_mean_of_scipys_tau_where_the_judge_varies(seed, prompts):
    rows = random_sample(seed, prompts=prompts)
    chosen, prompt = both_scored(rows)
    judge, grader = rows.judge.value_N[chosen], rows.answers.value_N[chosen]
    # With 2 prompts each has more than a hundred rows.
    rows_of = [prompt == p for p in range(prompts) if (prompt == p).sum() > 1]
    taus = [
        0.0
        if np.ptp(judge[chosen]) > 0 and np.ptp(grader[chosen]) == 0
        else stats.kendalltau(judge[chosen], grader[chosen]).statistic
        for chosen in rows_of
    ]
    found = named("fidelity", "within_prompt_rank_correlation").statistic(rows)
    assert found.point == pytest.approx(np.nanmean(taus), **EXACTLY)
    assert found.prompts == np.isfinite(taus).sum()


@pytest.mark.parametrize("rows_each", [2, 101])
def test_a_prompt_whose_completions_the_grader_alone_ties_counts_as_no_correlation(rows_each):
    # Prompt 0 is copied, 1 has a constant grader, 2 a constant judge.
    prompt = np.repeat(np.arange(3), rows_each)
    rank = np.tile(np.arange(rows_each) % 10, 3)
    rows = sample(
        prompt,
        answers(score=np.where(prompt == 1, 5, rank)),
        answers("judge", score=np.where(prompt == 2, 5, rank)),
    )
    found = named("fidelity", "within_prompt_rank_correlation").statistic(rows)
    assert (found.point, found.prompts, found.n) == (pytest.approx(0.5), 2, 2 * rows_each)


def test_ties_are_counted_among_the_pairs_of_a_prompt():
    # Prompt 0: values 1, 1, 2 (one tie of three pairs); prompt 1: 1, 1 (one of one); prompt 2 has one row.
    rows = sample([0, 0, 0, 1, 1, 2], answers(score=[1, 1, 2, 1, 1, 1]))
    found = named("fidelity", "tie_rate").statistic(rows)
    assert (found.point, found.n, found.prompts) == (pytest.approx(2 / 4), 5, 2)


def test_the_judge_has_ties_and_no_fidelity_to_itself():
    rows = sample([0, 0, 1, 1], answers("judge", score=[1, 1, 2, 3]))
    assert point(rows, "tie_rate") == pytest.approx(1 / 2)
    assert named("fidelity", "exact").statistic(rows) is None
    assert named("fidelity", "label_agreement").statistic(rows) is None


def test_quadratic_weighted_kappa_equals_the_published_example():
    # Data set "anxiety" of R's package irr: kappa2(anxiety[, 2:3], "squared") is 0.2520325. R drops level 5,
    # which neither rater used, and so takes their 6 for the fifth of five levels.
    second = [3, 5, 4, 5, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4]
    third = [2, 1, 4, 4, 3, 2, 1, 5, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2]
    rows = sample(range(20), answers(score=third), answers("judge", score=second))
    assert point(rows, "quadratic_weighted_kappa") == pytest.approx(0.2520325, abs=1e-6)


def test_a_constant_grader_has_kappa_zero_and_two_constants_have_none():
    judge = answers("judge", score=[0, 5, 9])
    rows = sample([0, 1, 2], answers(score=[4, 4, 4]), judge)
    assert point(rows, "quadratic_weighted_kappa") == pytest.approx(0)
    both = sample([0, 1, 2], answers(score=[4, 4, 4]), answers("judge", score=[4, 4, 4]))
    for name in ("quadratic_weighted_kappa", "spearman", "kendall_tau_b", "label_cohens_kappa"):
        assert np.isnan(point(both, name)), name


def test_pairs_have_agreement_of_labels_and_no_measures_of_scores():
    rng = np.random.default_rng(0)
    judge, grader = rng.integers(0, 3, (2, 200))
    rows = sample(np.arange(200), answers(label=grader), answers("judge", label=judge), labels=PAIRWISE)
    assert point(rows, "label_agreement") == pytest.approx((judge == grader).mean(), **EXACTLY)
    expected = cohen_kappa_score(judge, grader)
    assert point(rows, "label_cohens_kappa") == pytest.approx(expected, **EXACTLY)
    for name in ("exact", "spearman", "tie_rate"):
        assert named("fidelity", name).statistic(rows) is None


def test_a_file_of_labels_has_no_measures_of_scores_but_a_grader_that_never_scores_has_undefined_ones():
    judge = answers("judge", score=[1, 9, 2])
    labels = sample([0, 1, 2], answers(label=[0, 1, 1]), judge)
    assert named("fidelity", "exact").statistic(labels) is None
    assert point(labels, "label_agreement") == pytest.approx(2 / 3)
    silent = sample([0, 1, 2], answers(score=[np.nan] * 3), judge)
    found = named("fidelity", "exact").statistic(silent)
    assert (found.n, np.isnan(found.point)) == (0, True)
