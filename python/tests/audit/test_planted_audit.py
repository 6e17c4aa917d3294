"""Audits of planted graders: what each must show, through records, gates and verdict together."""

import numpy as np
import pytest
from planted_audit import DEFAULT_GATES, JUDGE, JUDGE_OK, RIGHT, ROWS, audit_of, figure

TRUTH = "truth.grader.single_token"
FIDELITY = "fidelity.grader.single_token"


def test_a_grader_that_knows_the_truth_passes_on_truth_and_follows_it_where_the_judge_is_wrong():
    audit = audit_of(np.where(RIGHT, 9, 0), DEFAULT_GATES[1:])
    assert audit.verdict == "PASS"
    assert figure(audit, "teacher_wrong.grader.single_token.follows_truth").point == 1
    assert figure(audit, "teacher_wrong.grader.single_token.balanced_accuracy_difference").low > 0


def test_a_grader_that_copies_the_judge_passes_on_fidelity_and_is_shown_to_follow_no_truth():
    audit = audit_of(JUDGE)
    assert audit.verdict == "PASS"
    assert figure(audit, f"{FIDELITY}.quadratic_weighted_kappa").point == 1
    assert figure(audit, "teacher_wrong.grader.single_token.follows_truth").point == 0
    assert audit.covers == ["fidelity", "teacher_wrong", "coverage"]


def test_a_grader_that_fails_does_not_pass_once_it_leaves_the_rows_it_gets_wrong_unscored():
    # It copies the judge, but for 90 of the rows that the judge gets right.
    errs = np.zeros(ROWS, dtype=bool)
    errs[np.flatnonzero(JUDGE_OK)[::5][:90]] = True
    scores = np.where(errs, 9 - JUDGE, JUDGE)
    for unscored in (np.zeros(ROWS, dtype=bool), errs):
        audit = audit_of(scores, DEFAULT_GATES[1:2], unscored=unscored)
        assert audit.verdict == "FAIL"
        assert figure(audit, "teacher_wrong.grader.single_token.strays").point > 0.15


def test_a_grader_that_always_says_the_same_fails():
    audit = audit_of(np.full(ROWS, 9))
    assert audit.verdict == "FAIL"
    assert figure(audit, f"{TRUTH}.balanced_accuracy").point == 0.5
    assert figure(audit, "truth.always_pass.constant.balanced_accuracy").point == 0.5


def test_agreement_is_about_scores_and_right_or_wrong_about_p_pass():
    # A grader that gives every digit of the judge, and whose probabilities say what is true.
    audit = audit_of(JUDGE, p_pass=np.where(RIGHT, 0.51, 0.5))
    assert figure(audit, f"{FIDELITY}.exact").point == 1
    assert figure(audit, f"{FIDELITY}.within_1").point == 1
    assert figure(audit, f"{FIDELITY}.quadratic_weighted_kappa").point == 1
    assert figure(audit, f"{TRUTH}.accuracy").point == 1
    assert figure(audit, "truth.judge.reasoned.accuracy").point == pytest.approx(JUDGE_OK.mean())


def test_distances_are_about_values_and_agreement_about_scores():
    # Every digit is the judge's, or 1 for its 0; each value is 0.6 below, which rounds to another digit.
    audit = audit_of(np.maximum(JUDGE, 1), above=-0.6)
    at_least_1 = JUDGE >= 1
    assert figure(audit, f"{FIDELITY}.exact").point == pytest.approx(at_least_1.mean())
    expected = np.where(at_least_1, -0.6, 0.4)
    assert figure(audit, f"{FIDELITY}.bias").point == pytest.approx(expected.mean())
    assert figure(audit, f"{FIDELITY}.mean_absolute_error").point == pytest.approx(abs(expected).mean())
    assert figure(audit, f"{FIDELITY}.mean_absolute_error").n == ROWS


@pytest.mark.parametrize("kind", ["off_scale", "low_confidence", "failed"])
def test_a_grader_without_one_score_leaves_its_measures_undefined(kind):
    audit = audit_of(JUDGE, kind=kind)
    assert figure(audit, f"coverage.grader.single_token.{kind}").point == 1
    exact = figure(audit, f"{FIDELITY}.exact")
    assert (exact.n, exact.point, exact.low) == (0, None, None)
    assert figure(audit, f"{TRUTH}.balanced_accuracy").point is None
    assert audit.verdict == "FAIL"
    assert [gate.verdict for gate in audit.gates] == ["INCONCLUSIVE", "FAIL", "FAIL", "PASS"]


def test_what_follows_from_the_figures_is_said_of_all_rows_and_of_known_records():
    audit = audit_of(np.where(RIGHT, 9, 0))
    known = {record.id for record in audit.records if record.slice == "all"}
    assert {finding.id for finding in audit.findings} <= known
    assert any("superior" in one.text or "better" in one.text for one in audit.findings)


def test_tables_count_every_row_that_both_labelled():
    audit = audit_of(JUDGE)
    tables = {table.id: table for table in audit.tables}
    confusion = tables["fidelity.grader.single_token.confusion"]
    assert [sum(row) for row in confusion.cells] == np.bincount(JUDGE, minlength=10).tolist()
    truth = np.array(tables["truth.judge.reasoned.confusion"].cells)
    assert truth.sum() == ROWS
    assert truth.trace() == JUDGE_OK.sum()
