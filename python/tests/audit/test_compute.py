import numpy as np
import pytest
from planted_audit import JUDGE, JUDGE_OK, RIGHT, ROWS, audit_of

from gavel_train.audit.compute import Inputs, compute_audit
from gavel_train.contracts import AuditRow, VerdictRow


def test_agreement_is_about_scores_and_right_or_wrong_about_p_pass():
    # A grader that gives every digit of the judge, and whose probabilities say what is true.
    audit = audit_of(JUDGE, p_pass=np.where(RIGHT, 0.51, 0.5))
    assert audit.fidelity.exact.point == 1
    assert audit.fidelity.within_1.point == 1
    assert audit.fidelity.quadratic_weighted_kappa.point == 1
    assert audit.truth.grader.accuracy.point == 1
    assert audit.truth.judge.accuracy.point == pytest.approx(JUDGE_OK.mean())


def test_distances_are_about_values_and_agreement_about_scores():
    # Every digit is the judge's, or 1 for its 0; each value is 0.6 below, which rounds to another digit.
    audit = audit_of(np.maximum(JUDGE, 1), above=-0.6)
    at_least_1 = JUDGE >= 1
    assert audit.fidelity.exact.point == pytest.approx(at_least_1.mean())
    expected = np.where(at_least_1, -0.6, 0.4)
    assert audit.fidelity.bias.point == pytest.approx(expected.mean())
    assert audit.fidelity.mean_absolute_error.point == pytest.approx(abs(expected).mean())
    assert audit.fidelity.mean_absolute_error.n == ROWS


@pytest.mark.parametrize("kind", ["off_scale", "low_confidence", "failed"])
def test_a_base_without_one_score_leaves_its_measures_undefined(kind):
    rows = [
        AuditRow(id=str(i), prompt_id=f"p{i}", prompt="", completion="", is_correct=i % 2 == 0, source="last")
        for i in range(30)
    ]

    def verdicts(verdict, **given):
        none = dict.fromkeys(("score", "value", "value_rule", "p_pass", "confidence", "distribution"))
        fixed = {"trace_keys": [], "off_scale_mass": 0.97, "replayed": False, "latency_ms": 1}
        return {row.id: VerdictRow(row_id=row.id, verdict=verdict, **(none | fixed | given)) for row in rows}

    right = {"score": 9, "value": 9, "value_rule": "score", "p_pass": 1}
    audit = compute_audit(
        Inputs(
            run="base",
            rows=rows,
            truths={row.id: bool(row.is_correct) for row in rows},
            verdicts={
                ("judge", "reasoned"): verdicts("scored", **right),
                ("grader", "single_token"): verdicts("scored", **right),
                ("base", "single_token"): verdicts(kind),
            },
            headline_mode="single_token",
            judge_mode="reasoned",
            threshold=5,
            samples=100,
            confidence=0.95,
            seed=0,
        )
    )
    assert audit.coverage.counts["base"] == {kind: 30}
    assert audit.coverage.value_rules["base"] == {}
    assert sum(audit.coverage.value_rules["grader"].values()) == audit.coverage.counts["grader"]["scored"]
    assert (audit.base_fidelity.exact.n, audit.base_fidelity.exact.point) == (0, None)
    assert audit.truth.base.balanced_accuracy.point is None
