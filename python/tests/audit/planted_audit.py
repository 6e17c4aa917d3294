"""An audit of a planted judge, whose scores and mistakes are known."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gavel_train.audit.answer_sheet import AnswerSheet
from gavel_train.audit.contestants import Answered
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.runner import Plan, compute
from gavel_train.audit.truth import truth_of
from gavel_train.contracts import Audit, AuditRow, Contestant, GateSpec, MeasureRecord

DEFAULT_GATES = [
    GateSpec(id="fidelity.grader.headline.quadratic_weighted_kappa", at_least=0.6),
    GateSpec(id="teacher_wrong.grader.headline.balanced_accuracy_difference", at_least=-0.05),
    GateSpec(id="coverage.grader.headline.scored", at_least=0.95),
    GateSpec(id="coverage.judge.*.scored", at_least=0.95),
]
ROWS = 600
RNG = np.random.default_rng(7)
RIGHT = RNG.random(ROWS) < 0.6
# The judge spreads its scores on the right side of 5, and is wrong about 12% of the rows.
JUDGE_OK = RNG.random(ROWS) < 0.88
JUDGE = np.where(RIGHT == JUDGE_OK, RNG.choice([7, 8, 9], ROWS), RNG.choice([0, 1, 3, 4], ROWS))


def audit_of(grader, grader_gates=DEFAULT_GATES, p_pass=None, above=0.0, kind=None, unscored=None) -> Audit:
    """Audit a grader's scores; `p_pass` (else by its scores), and `above`, its values less its scores.

    With a `kind` the grader gave no score at all, for that reason; it gave none for the rows `unscored`.
    """
    rows = AuditedRows(
        [
            AuditRow(
                id=str(i),
                prompt_id=f"p{i // 6}",
                prompt="",
                completion="",
                is_correct=bool(RIGHT[i]),
                source="last",
            )
            for i in range(ROWS)
        ]
    )

    def answered(role, mode, scores, p_pass=None, above=0.0, unscored=None) -> Answered:
        sheet = AnswerSheet(ROWS)
        for i, score in enumerate(scores):
            if unscored is not None and unscored[i]:
                continue
            sheet.fill(
                i, score, score + above, float(score >= 5 if p_pass is None else p_pass[i]), above != 0
            )
        contestant = Contestant(role=role, mode=mode, source="file", file=f"{role}.jsonl")
        return Answered(contestant, sheet.answers(role, mode), None)

    graded = answered("grader", "single_token", grader if kind is None else [], p_pass, above, unscored)
    if kind is not None:
        graded.answers.kind_N[:] = kind
    with TemporaryDirectory() as folder:
        plan = Plan(
            run="planted",
            rows=rows,
            truth_N=truth_of(rows),
            sources=[],
            headline_mode="single_token",
            threshold=5,
            confidence=0.95,
            slices=[],
            gates=grader_gates,
            looks=Path(folder) / "looks.jsonl",
        )
        return compute(plan, [answered("judge", "reasoned", JUDGE), graded], "single_token")


def figure(audit: Audit, record_id: str) -> MeasureRecord:
    (found,) = [one for one in audit.records if one.id == record_id]
    return found
