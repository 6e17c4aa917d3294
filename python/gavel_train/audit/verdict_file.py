"""A file of verdicts: JSON Lines of `{row_id, score?, label?, distribution?}`, whoever made them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gavel_train.audit.answer_sheet import AnswerSheet
from gavel_train.audit.json_line import lines_of, parse_line
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import PAIRWISE, RIGHT
from gavel_train.audit.verdict_numbers import (
    HALF,
    Numbers,
    numbers_of_distribution,
    numbers_of_score,
)
from gavel_train.contracts import FileVerdict
from gavel_train.run.outcome import BadRequest

# A line with a row's id alone says that the row got a verdict without a score, and not why.
NO_SCORE = "unparseable"

_SCORE = "a score or distribution"
_LABEL = "a label alone"

Fill = Callable[[AnswerSheet, int, FileVerdict, int], None]


def read_verdict_file(path: Path, rows: AuditedRows, threshold: int, *, field: str) -> AnswerSheet:
    """Read the verdicts of a file; rows without a line stay missing. Raises BadRequest naming the line.

    Lines about rows that the rows' file holds and this audit leaves out are skipped. Scores among labels are
    refused: fidelity would then be measured on the scored rows alone, which the file would choose.
    """
    sheet = AnswerSheet(len(rows))
    fill = _fill_pair if rows.subject == "pairwise" else _fill_completion
    first_at: dict[str, str] = {}
    first_of: dict[str, str] = {}
    for where, line in lines_of(path, field):
        verdict = parse_line(FileVerdict, line, where, field=field)
        if verdict.row_id in first_at:
            raise BadRequest(
                field,
                f"{where}: row_id: expected each row once, found {verdict.row_id!r} again, as in "
                f"{first_at[verdict.row_id]}.",
            )
        first_at[verdict.row_id] = where
        index = rows.position.get(verdict.row_id)
        if index is None:
            if verdict.row_id in rows.left_out:
                continue
            raise BadRequest(
                field,
                f"{where}: row_id: expected the id of a row, found {verdict.row_id!r}, which no row has.",
            )
        try:
            fill(sheet, index, verdict, threshold)
        except ValueError as error:
            raise BadRequest(field, f"{where}: {error}.") from None
        _refuse_mixed(first_of, verdict, where, field)
    return sheet


def _refuse_mixed(first_of: dict[str, str], verdict: FileVerdict, where: str, field: str) -> None:
    """Raise BadRequest for a score after a label alone, or the reverse; notes the first line of each."""
    if verdict.score is not None or verdict.distribution is not None:
        given, other = _SCORE, _LABEL
    elif verdict.label is not None:
        given, other = _LABEL, _SCORE
    else:
        return
    first_of.setdefault(given, where)
    if other in first_of:
        raise BadRequest(
            field,
            f"{where}: expected {other} as in {first_of[other]}, found {given}: one file has either. Give "
            "every verdict a score or distribution, or take them all out and give labels alone.",
        )


def _fill_pair(sheet: AnswerSheet, index: int, verdict: FileVerdict, threshold: int) -> None:
    del threshold
    if verdict.score is not None or verdict.distribution is not None:
        given = "score" if verdict.score is not None else "distribution"
        raise ValueError(f"{given}: expected a label (A, B or tie) for a pair, found a {given}")
    if verdict.label is None:
        sheet.kind_N[index] = NO_SCORE
        return
    if verdict.label not in PAIRWISE:
        raise ValueError(f"label: expected A, B or tie for a pair, found {verdict.label}")
    sheet.fill_pair(index, verdict.label)


def _fill_completion(sheet: AnswerSheet, index: int, verdict: FileVerdict, threshold: int) -> None:
    if verdict.label in PAIRWISE:
        raise ValueError(f"label: expected pass or fail for a completion, found {verdict.label}")
    numbers = _numbers(verdict, threshold)
    if numbers is not None:
        passes = numbers.p_pass > HALF
        if verdict.label is not None and (verdict.label == "pass") != passes:
            said = "pass" if passes else "fail"
            raise ValueError(
                f"label: expected {said}, which score or distribution say at threshold {threshold}, "
                f"found {verdict.label}"
            )
        sheet.fill(index, numbers.score, numbers.value, numbers.p_pass, numbers.is_expectation)
    elif verdict.label is not None:
        sheet.kind_N[index] = "scored"
        sheet.p_pass_N[index] = float(verdict.label == "pass")
        sheet.label_N[index] = RIGHT if verdict.label == "pass" else 1 - RIGHT
    else:
        sheet.kind_N[index] = NO_SCORE


def _numbers(verdict: FileVerdict, threshold: int) -> Numbers | None:
    if verdict.distribution is not None:
        return numbers_of_distribution(verdict.distribution.root, verdict.score, threshold)
    return None if verdict.score is None else numbers_of_score(verdict.score, threshold)
