"""Tables of counts: what two said of the same rows, what was true of them, and which scores were given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gavel_train.audit.records import JUDGE
from gavel_train.audit.sample import POINTWISE, SCORES, UNKNOWN, Answers, Ints, Rows
from gavel_train.contracts import CountTable

_DIGITS = tuple(str(digit) for digit in range(SCORES))
_NO_VERDICT = "no verdict"


def tables_of(rows: Rows, answers: Sequence[Answers]) -> list[CountTable]:
    """Return the tables of every contestant that was asked (their ids name it); empty ones are left out."""
    asked = [one for one in answers if not one.is_baseline]
    judge = next((one for one in asked if one.role == JUDGE), None)
    others = [one for one in asked if one.role != JUDGE]
    tables = [] if judge is None else [_confusion(rows, judge, one) for one in others]
    tables += [_truth(rows, one) for one in asked] + [_given(rows, one) for one in asked]
    return [table for table in tables if any(map(any, table.cells))]


def _confusion(rows: Rows, judge: Answers, other: Answers) -> CountTable:
    """Scores of both where both gave some, else their labels."""
    scored = bool((~np.isnan(judge.score_N) & ~np.isnan(other.score_N)).any())
    what = "score" if scored else "label"
    names = _DIGITS if scored else rows.labels
    first_N, second_N = (_scores(judge), _scores(other)) if scored else (judge.label_N, other.label_N)
    return CountTable(
        id=f"fidelity.{other.role}.{other.mode}.confusion",
        label=f"{what}s against the judge's",
        row_label="judge",
        column_label=other.role,
        rows=list(names),
        columns=list(names),
        cells=_cells(first_N, second_N, len(names), len(names)),
    )


def _truth(rows: Rows, one: Answers) -> CountTable:
    known_N = rows.truth_N != UNKNOWN
    none = len(rows.labels)
    said_N = np.where(one.label_N == UNKNOWN, none, one.label_N)[known_N]
    columns = [*rows.labels, _NO_VERDICT] if (said_N == none).any() else list(rows.labels)
    return CountTable(
        id=f"truth.{one.role}.{one.mode}.confusion",
        label="labels against the truth",
        row_label="truth",
        column_label=one.role,
        rows=list(rows.labels),
        columns=columns,
        cells=_cells(rows.truth_N[known_N], said_N, none, len(columns)),
    )


def _given(rows: Rows, one: Answers) -> CountTable:
    scored = rows.labels == POINTWISE and bool((~np.isnan(one.score_N)).any())
    what = "score" if scored else "label"
    names = _DIGITS if scored else rows.labels
    given_N = _scores(one) if scored else one.label_N
    return CountTable(
        id=f"coverage.{one.role}.{one.mode}.given",
        label=f"{what}s given",
        row_label="",
        column_label=what,
        rows=["rows"],
        columns=list(names),
        cells=_cells(np.where(given_N == UNKNOWN, UNKNOWN, 0), given_N, 1, len(names)),
    )


def _scores(one: Answers) -> Ints:
    return np.where(np.isnan(one.score_N), UNKNOWN, np.nan_to_num(one.score_N)).astype(np.int64)


def _cells(row_N: Ints, column_N: Ints, rows: int, columns: int) -> list[list[int]]:
    both_N = (row_N != UNKNOWN) & (column_N != UNKNOWN)
    flat_N = row_N[both_N] * columns + column_N[both_N]
    return np.bincount(flat_N, minlength=rows * columns).reshape(rows, columns).tolist()
