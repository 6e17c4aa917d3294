"""An audit of a planted judge, whose scores and mistakes are known."""

import numpy as np

from gavel_train.audit.compute import Inputs, compute_audit
from gavel_train.contracts import AuditRow, GateSpec, VerdictRow

DEFAULT_GATES = [
    GateSpec(measure="fidelity.quadratic_weighted_kappa", at_least=0.6),
    GateSpec(measure="truth.grader_minus_judge.balanced_accuracy", at_least=-0.05),
    GateSpec(measure="coverage.grader", at_least=0.95),
]
ROWS = 600
RNG = np.random.default_rng(7)
RIGHT = RNG.random(ROWS) < 0.6
# The judge spreads its scores on the right side of 5, and is wrong about 12% of the rows.
JUDGE_OK = RNG.random(ROWS) < 0.88
JUDGE = np.where(RIGHT == JUDGE_OK, RNG.choice([7, 8, 9], ROWS), RNG.choice([0, 1, 3, 4], ROWS))


def audit_of(grader, grader_gates=DEFAULT_GATES, p_pass=None, above=0.0):
    rows = [
        AuditRow(
            id=str(i),
            prompt_id=f"p{i // 6}",
            prompt="",
            completion="",
            ground_truth=None,
            is_correct=bool(RIGHT[i]),
            source="last",
        )
        for i in range(ROWS)
    ]

    def verdicts(scores, p_pass=None, above=0.0):
        return {
            str(i): VerdictRow(
                row_id=str(i),
                trace_keys=[],
                verdict="scored",
                score=int(score),
                value=float(score) + above,
                value_rule="expectation" if above else "score",
                p_pass=float(score >= 5 if p_pass is None else p_pass[i]),
                confidence=None,
                distribution=None,
                off_scale_mass=None,
                replayed=False,
                latency_ms=1,
            )
            for i, score in enumerate(scores)
        }

    return compute_audit(
        Inputs(
            run="planted",
            rows=rows,
            truths={row.id: bool(row.is_correct) for row in rows},
            verdicts={
                ("judge", "reasoned"): verdicts(JUDGE),
                ("grader", "single_token"): verdicts(grader, p_pass, above),
            },
            headline_mode="single_token",
            judge_mode="reasoned",
            threshold=5,
            samples=500,
            confidence=0.95,
            seed=0,
            gates=grader_gates,
        )
    )
