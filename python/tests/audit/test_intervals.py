import math
from dataclasses import replace

import numpy as np
import pytest
from graded_rows import answers, named, random_sample, sample
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from gavel_train.audit import from_counts, intervals
from gavel_train.audit.intervals import DIFFERENCE, KAPPA
from gavel_train.audit.statistic import LeftOut, Share, Sums


def interval(part, name, rows, confidence=0.95):
    return named(part, name).statistic(rows).interval(confidence)


def bounds(found):
    return found.low, found.high


def test_the_plain_jackknife_of_a_mean_is_the_t_interval_of_means_of_prompts():
    # Influences -1 and 1 alike: kurtosis 1, no skew, and so P - 1 degrees of freedom.
    values = np.tile([0.0, 0.2], 20)
    found = Sums.of_columns(np.arange(40), [values, np.ones(40)], from_counts.mean, DIFFERENCE).interval(0.95)
    expected = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert bounds(found) == pytest.approx(expected)
    assert found.method == "jackknife over prompts, t, corrected for skew"


@pytest.mark.parametrize("seed", range(3))
def test_a_jackknife_leaves_out_the_rows_of_each_prompt(seed):
    rows = random_sample(seed, unscored=0)
    prompt, truth = rows.rows.prompt_N, rows.rows.truth_N
    judge, grader = rows.judge.score_N.astype(int), rows.answers.score_N.astype(int)
    value = rows.answers.value_N
    for (part, name), of in {
        ("fidelity", "quadratic_weighted_kappa"): lambda kept: cohen_kappa_score(
            judge[kept], grader[kept], labels=range(10), weights="quadratic"
        ),
        ("fidelity", "kendall_tau_b"): lambda kept: stats.kendalltau(judge[kept], grader[kept]).statistic,
        ("fidelity", "spearman"): lambda kept: (
            stats.spearmanr(rows.judge.value_N[kept], value[kept]).statistic
        ),
        ("truth", "auroc"): lambda kept: roc_auc_score(truth[kept], value[kept]),
    }.items():
        left_out = [of(prompt != p) for p in np.unique(prompt)]
        statistic = named(part, name).statistic(rows)
        found = statistic.left_out_P if isinstance(statistic, LeftOut) else statistic.left_out()
        assert found == pytest.approx(left_out, rel=1e-12), name


def test_fishers_z_is_symmetric_around_the_point_with_the_error_of_the_jackknife():
    rows = random_sample(3, n=600, prompts=200)
    statistic = named("fidelity", "quadratic_weighted_kappa").statistic(rows)
    left_out = statistic.left_out()
    count = len(left_out)
    error = math.sqrt((count - 1) / count * np.square(left_out - left_out.mean()).sum())
    effects = left_out - left_out.mean()
    freedom = min(count - 1, 2 * count / (stats.kurtosis(effects, fisher=False) - 1))
    away = stats.t.ppf(0.975, freedom) * error / (1 - statistic.point**2)
    expected = np.tanh(np.arctanh(statistic.point) + np.array([-away, away]))
    assert bounds(statistic.interval(0.95)) == pytest.approx(expected)


def test_the_linear_form_of_spearman_has_the_error_of_leaving_each_prompt_out():
    # More than 100 prompts take the linear form.
    rows = random_sample(0, n=400, prompts=120)
    found = named("fidelity", "spearman").statistic(rows)
    chosen = np.isfinite(rows.judge.value_N) & np.isfinite(rows.answers.value_N)
    prompt = rows.rows.prompt_N[chosen]
    judge, grader = rows.judge.value_N[chosen], rows.answers.value_N[chosen]
    exact = [stats.spearmanr(judge[prompt != p], grader[prompt != p]).statistic for p in np.unique(prompt)]
    assert np.std(found.left_out_P) == pytest.approx(np.std(exact), rel=0.01)


def test_korn_graubard_with_one_row_a_prompt_is_clopper_pearson_with_a_row_less():
    # The linearised variance is share (1 - share) / (P - 1), so that n / deff is P - 1.
    hits = np.arange(80) < 24
    found = Share.of_rows(np.arange(80), hits).interval(0.95)
    expected = proportion_confint(79 * 0.3, 79, method="beta")
    assert bounds(found) == pytest.approx(expected, rel=1e-9)
    assert found.method == "Korn-Graubard"


def test_korn_graubard_equals_the_hand_computed_effective_sample_size():
    # 10 prompts of 4 rows, hits 0 0 0 0 0 2 2 2 2 2: share 1/4. Excess -1 and 1, sum of squares 10, variance
    # 10/9 * 10 / 1600 = 1/144; n / deff = 3/16 * 144 = 27. Their kurtosis is 1: t with 9 degrees of freedom.
    hits = np.concatenate([np.zeros(20), np.tile([1, 1, 0, 0], 5)]).astype(bool)
    found = Share.of_rows(np.arange(40) // 4, hits).interval(0.95)
    effective = 27 * (stats.t.ppf(0.975, 39) / stats.t.ppf(0.975, 9)) ** 2
    expected = proportion_confint(effective / 4, effective, method="beta")
    assert bounds(found) == pytest.approx(expected, rel=1e-9)


def test_rows_of_one_prompt_that_are_copies_give_no_narrower_interval():
    hits = np.random.default_rng(1).random(60) < 0.4
    once = Share.of_rows(np.arange(60), hits).interval(0.95)
    copied = Share.of_rows(np.repeat(np.arange(60), 10), np.repeat(hits, 10)).interval(0.95)
    # Not quite the same: t of 599 rows against t of 59 prompts.
    assert copied.low <= once.low
    assert copied.high >= once.high
    assert bounds(copied) == pytest.approx(bounds(once), abs=0.02)


def test_the_effective_sample_size_is_at_most_the_rows():
    # Every prompt has one hit of two rows, as no independent rows would.
    found = Share.of_rows(np.arange(80) // 2, np.arange(80) % 2 == 0).interval(0.95)
    assert bounds(found) == pytest.approx(proportion_confint(40, 80, method="beta"))


@pytest.mark.parametrize(("hit", "share"), [(True, 1.0), (False, 0.0)])
def test_a_share_of_zero_or_one_takes_prompts_as_trials(hit, share):
    found = Share.of_rows(np.arange(90) // 3, np.full(90, hit)).interval(0.95)
    assert bounds(found) == pytest.approx(proportion_confint(30 * share, 30, method="beta"))
    assert found.method == "Clopper-Pearson, prompts as trials"


def test_a_perfect_grader_is_known_to_be_perfect_only_as_far_as_its_prompts_show():
    score = np.tile([0, 4, 9], 40)
    rows = sample(np.arange(120) // 3, answers(score=score), answers("judge", score=score), score >= 5)
    # A prompt's kappa falls by the largest distance, 81, over that of chance: 2 (16 + 25 + 81) / 9.
    for part, name, reach in (
        ("fidelity", "quadratic_weighted_kappa", 81 * 9 / 244),
        ("fidelity", "within_prompt_rank_correlation", 2),
        ("fidelity", "spearman", 2),
        ("fidelity", "kendall_tau_b", 2),
        ("truth", "cohens_kappa", 9 / 4),
        ("truth", "balanced_accuracy", 1),
    ):
        found = interval(part, name, rows)
        assert bounds(found) == (pytest.approx(1 - reach * (1 - 0.025 ** (1 / 40))), 1.0), name
        assert found.method == "no prompt changes the value; Clopper-Pearson for 0 of 40 prompts"


def test_agreement_on_all_but_one_score_is_shown_only_by_the_prompts_that_have_others():
    # The judge says 9 on all but 12 prompts.
    score = np.where(np.arange(100) < 12, 3, 9)
    rows = sample(np.arange(100), answers(score=score), answers("judge", score=score))
    found = interval("fidelity", "quadratic_weighted_kappa", rows)
    # Chance's distance is 2 (0.12 x 0.88) 36; a 9 for which the grader says 0 has 81.
    reach = 81 / (2 * 0.12 * 0.88 * 36)
    assert found.low == pytest.approx(1 - reach * (1 - 0.025 ** (1 / 100)))
    score[:4] = 9
    rows = sample(np.arange(100), answers(score=score), answers("judge", score=score))
    found = interval("fidelity", "quadratic_weighted_kappa", rows)
    assert bounds(found) == (None, None)
    assert found.method.startswith("no interval: fewer than 10 prompts could change it")


def test_an_exact_copy_of_the_judge_may_differ_on_prompts_that_were_not_seen():
    rng = np.random.default_rng(0)
    score, truth = rng.integers(0, 10, 400), np.arange(400) % 2
    rows = sample(np.arange(400) // 4, answers(score=score), answers("judge", score=score), truth)
    away = 1 - 0.025 ** (1 / 100)
    for name in ("balanced_accuracy_difference", "accuracy_difference"):
        found = interval("teacher_wrong", name, rows)
        assert bounds(found) == pytest.approx((-away, away)), name


def test_one_disagreeing_prompt_gives_a_wider_interval_than_none():
    score = np.arange(120) % 10
    grader = score.copy()
    grader[0] = 9
    rows = sample(np.arange(120) // 3, answers(score=grader), answers("judge", score=score))
    found = interval("fidelity", "quadratic_weighted_kappa", rows)
    point = named("fidelity", "quadratic_weighted_kappa").statistic(rows).point
    # Clopper-Pearson for 1 of 40 prompts has a high bound of 5.3 times the share seen.
    assert 1 - found.low > 5.26 * (1 - point)
    assert found.high < 1


def test_differences_on_one_prompt_reach_as_far_as_an_exact_bound_would():
    judge = np.tile([0, 9], 40)
    grader = judge.copy()
    grader[0] = 9
    rows = sample(np.arange(80), answers(score=grader), answers("judge", score=judge), judge == 9)
    found = interval("teacher_wrong", "accuracy_difference", rows)
    exact = proportion_confint(1, 80, method="beta")
    assert found.low <= -exact[1]
    assert found.high > 0


def test_a_class_that_one_prompt_alone_holds_gives_no_interval():
    truth = np.where(np.arange(60) == 0, 0, 1)
    rows = sample(np.arange(60), answers(score=np.arange(60) % 10), truth=truth)
    for name in ("balanced_accuracy", "cohens_kappa", "auroc"):
        found = interval("truth", name, rows)
        assert bounds(found) == (None, None), name
        assert found.method.startswith("no interval: fewer than 10 prompts could change it"), name


def test_a_correlation_that_one_prompt_alone_defines_has_no_interval():
    # The judge errs on one prompt, the grader on every second.
    truth = np.ones(60)
    judge, grader = np.where(np.arange(60) == 0, 0, 1), np.arange(60) % 2
    rows = sample(np.arange(60), answers(label=grader), answers("judge", label=judge), truth)
    found = interval("teacher_wrong", "error_correlation", rows)
    assert bounds(found) == (None, None)
    assert found.method == "no interval: not defined without one of the prompts, which alone holds a class"


def test_a_label_without_variance_widens_the_interval_by_what_its_prompts_cannot_exclude():
    # 30 wrong rows, all called wrong, and 170 right ones, of which three tenths are called wrong.
    truth = np.arange(200) >= 30
    said = truth & (np.arange(200) % 10 > 2)
    rows = sample(np.arange(200), answers(label=said), truth=truth)
    statistic = named("truth", "balanced_accuracy").statistic(rows)
    found, alone = statistic.interval(0.95), replace(statistic, silent=()).interval(0.95)
    unseen = (1 - 0.025 ** (1 / 30)) / 2
    assert statistic.point - found.low == pytest.approx(math.hypot(statistic.point - alone.low, unseen))
    assert found.method.endswith("with Clopper-Pearson for labels whose prompts all show the same")


def test_below_ten_prompts_there_is_a_point_and_no_interval():
    for prompts, method in ((9, "no interval: fewer than 10 prompts"), (10, "Korn-Graubard")):
        statistic = Share.of_rows(np.arange(190) % prompts, np.arange(190) % 3 == 0)
        assert statistic.point == pytest.approx(1 / 3, abs=0.01)
        assert statistic.interval(0.95).method == method


def test_a_measure_without_rows_is_undefined():
    statistic = Share.of_rows(np.zeros(0, dtype=int), np.zeros(0, dtype=bool))
    assert np.isnan(statistic.point)
    assert statistic.interval(0.95) == intervals.none("no rows")


def test_bounds_stay_within_the_values_that_a_measure_can_have():
    rows = sample(np.arange(24), answers(score=[9, 0] * 12), answers("judge", score=[0, 9] * 11 + [9, 0]))
    assert interval("fidelity", "mean_absolute_error", rows).high == 9
    assert interval("fidelity", "quadratic_weighted_kappa", rows).low > -1


def test_a_higher_confidence_gives_a_wider_interval():
    rows = random_sample(0)
    for part, name in (("fidelity", "exact"), ("fidelity", "bias"), ("truth", "auroc")):
        narrow, wide = interval(part, name, rows, 0.95), interval(part, name, rows, 0.9875)
        assert wide.low < narrow.low < narrow.high < wide.high


def test_prompts_are_left_out_in_blocks_that_change_nothing(monkeypatch):
    statistic = named("fidelity", "kendall_tau_b").statistic(random_sample(0))
    whole = statistic.left_out()
    monkeypatch.setattr("gavel_train.audit.statistic._BLOCK", 700)
    assert statistic.left_out() == pytest.approx(whole, rel=1e-15)


def test_a_jackknife_of_values_that_differ_by_rounding_alone_is_unvaried():
    left_out = np.full(40, 0.3) + np.linspace(-1, 1, 40) * 1e-15
    found = intervals.jackknife(0.3, left_out, confidence=0.95, scale=KAPPA, trials=40)
    assert found.method.startswith("no prompt changes the value")
