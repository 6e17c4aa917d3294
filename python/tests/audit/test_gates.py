import numpy as np
import pytest
from planted_audit import DEFAULT_GATES, JUDGE, JUDGE_OK, RIGHT, ROWS, audit_of

from gavel_train.audit import gates
from gavel_train.contracts import GateSpec, Measure


def measure(point, low, high, n=100):
    return Measure(point=point, low=low, high=high, n=n)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (measure(0.8, 0.6, 0.9), "PASS"),
        (measure(0.8, 0.59, 0.9), "INCONCLUSIVE"),
        (measure(0.5, 0.4, 0.6), "INCONCLUSIVE"),
        (measure(0.5, 0.4, 0.59), "FAIL"),
        (measure(0.9, None, None), "INCONCLUSIVE"),
        (measure(None, None, None, 0), "INCONCLUSIVE"),
    ],
)
def test_a_gate_is_decided_on_the_bound_and_not_on_the_point(value, verdict):
    assert gates.decide(value, 0.6) == verdict


def test_an_open_gate_says_how_many_more_rows_would_settle_it():
    # Twice as wide as it may be: four times the rows, so three times as many more.
    assert gates.rows_needed(measure(0.7, 0.5, 0.9), 0.6) == 300
    assert gates.rows_needed(measure(0.5, 0.3, 0.7), 0.6) == 300
    assert gates.rows_needed(measure(0.6, 0.5, 0.7), 0.6) is None
    assert gates.rows_needed(measure(0.7, None, None), 0.6) is None


def test_one_failed_gate_fails_the_audit_and_none_at_all_settles_nothing():
    def gate(verdict):
        return gates.GateResult(
            measure="coverage.grader", at_least=0, value=gates.NO_MEASURE, verdict=verdict, rows_needed=None
        )

    assert gates.overall([gate("PASS"), gate("PASS")]) == "PASS"
    assert gates.overall([gate("PASS"), gate("INCONCLUSIVE")]) == "INCONCLUSIVE"
    assert gates.overall([gate("INCONCLUSIVE"), gate("FAIL")]) == "FAIL"
    assert gates.overall([]) == "INCONCLUSIVE"


def test_a_gate_on_a_part_that_is_absent_is_inconclusive():
    (gate,) = gates.judge_gates({"fidelity": None}, [GateSpec(measure="fidelity.exact", at_least=0.5)])
    assert (gate.verdict, gate.value.n) == ("INCONCLUSIVE", 0)


def test_a_grader_that_knows_the_truth_passes_on_truth_and_follows_it_where_the_judge_is_wrong():
    audit = audit_of(np.where(RIGHT, 9, 0), DEFAULT_GATES[1:])
    assert audit.verdict == "PASS"
    assert audit.teacher_wrong.grader_follows_truth.point == 1
    assert audit.truth.grader_minus_judge.balanced_accuracy.low > 0


def test_a_grader_that_copies_the_judge_passes_on_fidelity_and_is_shown_to_follow_no_truth():
    audit = audit_of(JUDGE)
    assert audit.verdict == "PASS"
    assert audit.fidelity.quadratic_weighted_kappa.point == 1
    assert audit.teacher_wrong.rows == (~JUDGE_OK).sum()
    assert audit.teacher_wrong.grader_follows_truth.high < 0.1
    follows_truth = GateSpec(measure="teacher_wrong.grader_follows_truth", at_least=0.5)
    assert audit_of(JUDGE, [follows_truth]).verdict == "FAIL"


def test_a_constant_grader_fails():
    audit = audit_of(np.full(ROWS, 9))
    assert audit.verdict == "FAIL"
    assert audit.fidelity.quadratic_weighted_kappa.point == 0
    assert audit.truth.grader.balanced_accuracy.point == 0.5


def test_a_random_grader_fails():
    audit = audit_of(np.random.default_rng(1).integers(0, 10, ROWS))
    assert audit.verdict == "FAIL"
    assert audit.fidelity.quadratic_weighted_kappa.high < 0.2


def test_a_grader_near_the_limit_is_inconclusive_and_the_rows_that_would_settle_it_are_named():
    noise = np.random.default_rng(4)
    grader = np.where(noise.random(ROWS) < 0.61, JUDGE, noise.permutation(JUDGE))
    audit = audit_of(grader, DEFAULT_GATES[:1])
    assert audit.verdict == "INCONCLUSIVE"
    assert audit.gates[0].rows_needed > 0
