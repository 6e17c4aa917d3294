"""Planted graders have the values that the simulation holds against the audit."""

import numpy as np
import pytest
from audit_power.audited import records
from audit_power.cases import BOUNDS, COVERED, DEFAULT_GATES, WORLD
from audit_power.effects import correlation, graded
from audit_power.graders import agreeing, copying_errors
from audit_power.population import POPULATION
from audit_power.world import cluster_sizes

from gavel_train.contracts import AuditSpec

PROMPTS, ROWS = 80_000, 200_000


def test_the_default_gates_are_those_of_the_spec():
    assert list(DEFAULT_GATES) == AuditSpec().gates


@pytest.mark.parametrize("name", COVERED)
def test_the_population_values_are_those_of_a_large_draw(name):
    grader = COVERED[name]

    found = dict(records(grader.sample(np.random.default_rng(1), PROMPTS, ROWS), POPULATION))

    assert found.keys() == POPULATION.keys()
    for measure, record in found.items():
        # An interval at 95% has a half-width of about two standard errors; four are allowed.
        half = (record.high - record.low) / 2
        assert abs(record.point - POPULATION[measure](grader.joint_TSO)) < max(2 * half, 1e-9), measure


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.measure)
@pytest.mark.parametrize("place", ["below", "at", "above"])
def test_a_grader_is_where_its_gate_wants_it(bound, place):
    grader = bound.grader(place)

    assert POPULATION[bound.measure](grader.joint_TSO) == pytest.approx(bound.value(place), abs=1e-9)

    sample = grader.sample(np.random.default_rng(2), PROMPTS, ROWS)
    (record,) = (record for _, record in records(sample, [bound.measure]))
    half = (record.high - record.low) / 2
    assert abs(record.point - bound.value(place)) < 2 * half < 0.02


def test_kappa_is_the_share_of_copied_scores_where_the_rest_is_drawn_apart():
    kappa = POPULATION["fidelity.quadratic_weighted_kappa"]

    assert kappa(agreeing(WORLD, 0.37).joint_TSO) == pytest.approx(0.37, abs=1e-12)


def test_a_grader_that_copies_errors_differs_from_the_judge_on_rows_and_not_in_the_population():
    grader = copying_errors(WORLD)

    assert POPULATION["teacher_wrong.balanced_accuracy_difference"](grader.joint_TSO) == pytest.approx(0)
    assert POPULATION["fidelity.label_agreement"](grader.joint_TSO) < 0.96


def test_rows_of_a_prompt_are_as_alike_as_stated():
    sample = COVERED[next(iter(COVERED))].sample(np.random.default_rng(3), PROMPTS, ROWS)
    truth_N, prompt_N = sample.rows.truth_N, sample.rows.prompt_N
    # Pairs of neighbours in one prompt.
    pairs = prompt_N[1:] == prompt_N[:-1]

    found = np.corrcoef(truth_N[1:][pairs], truth_N[:-1][pairs])[0, 1]

    assert found == pytest.approx(correlation(WORLD.right_G), abs=0.01)
    assert correlation(WORLD.right_G) == pytest.approx(WORLD.right_icc, abs=0.01)


def test_grades_of_prompts_keep_the_mean():
    for mean in (0.03, 0.5, 0.94):
        assert graded(mean, 0.25).mean() == pytest.approx(mean, abs=1e-12)


def test_prompts_differ_in_size_and_their_rows_add_up():
    sizes = cluster_sizes(80, 200)

    assert sizes.sum() == 200
    assert sorted(set(sizes.tolist())) == [1, 2, 3, 4]
