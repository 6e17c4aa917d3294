"""The verdicts of one contestant as arrays: 100,000 verdict objects would take a gigabyte."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import PAIRWISE, RIGHT, UNKNOWN, Answers
from gavel_train.audit.verdict_numbers import HALF
from gavel_train.contracts import GradingPass, VerdictRow
from gavel_train.run.directory import each_row

MISSING = "missing"
_KIND = "<U16"
_ORDER = "<U10"


class AnswerSheet:
    """Arrays of N rows, each missing until it is filled."""

    def __init__(self, rows: int) -> None:
        self.kind_N = np.full(rows, MISSING, dtype=_KIND)
        self.score_N = np.full(rows, np.nan)
        self.value_N = np.full(rows, np.nan)
        self.p_pass_N = np.full(rows, np.nan)
        self.label_N = np.full(rows, UNKNOWN, dtype=np.int64)
        self.is_expectation_N = np.zeros(rows, dtype=bool)
        self.order_N = np.full(rows, "", dtype=_ORDER)

    def fill(self, index: int, score: int, value: float, p_pass: float, is_expectation: bool) -> None:
        """Give a row a scored verdict about one completion."""
        self.kind_N[index] = "scored"
        self.score_N[index] = score
        self.value_N[index] = value
        self.p_pass_N[index] = p_pass
        self.label_N[index] = RIGHT if p_pass > HALF else 1 - RIGHT
        self.is_expectation_N[index] = is_expectation

    def fill_pair(self, index: int, label: str, order: str = "") -> None:
        """Give a row a verdict about a pair."""
        self.kind_N[index] = "scored"
        self.label_N[index] = PAIRWISE.index(label)
        self.order_N[index] = order

    def answers(self, role: str, mode: str, grading: GradingPass | None = None) -> Answers:
        """Return them as the answers of a role in a mode."""
        return Answers(role=role, mode=mode, grading=grading, **vars(self))


def read_verdict_rows(path: Path, rows: AuditedRows) -> AnswerSheet:
    """Read the verdicts that a grading pass wrote; those on rows that are not audited are skipped."""
    sheet = AnswerSheet(len(rows))
    for verdict in each_row(path, VerdictRow):
        index = rows.position.get(verdict.row_id)
        if index is None:
            continue
        if verdict.preference is not None:
            sheet.fill_pair(index, verdict.preference.label, verdict.preference.order)
        elif verdict.score is None or verdict.value is None or verdict.p_pass is None:
            sheet.kind_N[index] = verdict.verdict
        else:
            expectation = verdict.value_rule == "expectation"
            sheet.fill(index, verdict.score, verdict.value, verdict.p_pass, expectation)
    return sheet
