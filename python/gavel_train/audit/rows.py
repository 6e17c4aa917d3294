"""The rows of an audit: one completion each, or a pair of them; from a user's file, or given by a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from gavel_train.audit.json_line import lines_of, parse_line
from gavel_train.audit.sample import PAIRWISE, POINTWISE, Ints
from gavel_train.contracts import AuditRow, ExternalAuditRow
from gavel_train.grader.lessons import prompt_hash
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.row_fields import field_text

Subject = Literal["pointwise", "pairwise"]

# Fields that gavel makes itself; a row's own field of the same name would be hidden by them.
COMPUTED_FIELDS = ("checkpoint", "prompt_length", "score")

_UNKNOWN_FIELD = 'What rows are sliced by goes under "fields", say {"fields": {"kind": "algebra"}}.'


@dataclass(frozen=True)
class AuditedRows:
    """Rows with distinct ids, all of one subject; `left_out`: ids of the same file that are not audited."""

    rows: Sequence[AuditRow]
    left_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def subject(self) -> Subject:
        """Whether the rows are completions or pairs."""
        return "pairwise" if self.rows[0].completion_b is not None else "pointwise"

    @property
    def labels(self) -> tuple[str, ...]:
        """What a verdict can say of a row, and what can be true of it."""
        return PAIRWISE if self.subject == "pairwise" else POINTWISE

    @cached_property
    def position(self) -> dict[str, int]:
        """Index of each row by its id."""
        return {row.id: index for index, row in enumerate(self.rows)}

    @cached_property
    def prompt_N(self) -> Ints:
        """Number of the prompt of each row, from 0."""
        _, numbers = np.unique([row.prompt_id for row in self.rows], return_inverse=True)
        return numbers.astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """Digest of what is judged and what is true of it: order and ids of the rows do not change it."""
        return _digest(sorted(_content_digest(row) for row in self.rows))

    @cached_property
    def ordered_digest(self) -> str:
        """Digest of the rows with their ids, in order."""
        return _digest(part for row in self.rows for part in (row.id, _content_digest(row)))


def read_external_rows(path: Path, max_rows: int | None = None) -> AuditedRows:
    """Read the first `max_rows` of a user's rows; raises BadRequest naming line, field, and what is wrong."""
    rows: list[AuditRow] = []
    seen: dict[str, str] = {}
    pairs: bool | None = None
    for where, line in lines_of(path, "rows"):
        row = parse_line(ExternalAuditRow, line, where, field="rows", unknown=_UNKNOWN_FIELD)
        if row.id in seen:
            raise BadRequest(
                "rows", f"{where}: expected a new id, found {row.id!r} again, as in {seen[row.id]}."
            )
        is_pair = _is_pair(row, where)
        if pairs is not None and is_pair != pairs:
            raise BadRequest("rows", f"{where}: {_MIXED[is_pair]}.")
        pairs = is_pair
        seen[row.id] = where
        _refuse_computed_fields(row, where)
        if max_rows is None or len(rows) < max_rows:
            rows.append(_audit_row(row, path))
    if not rows:
        raise BadRequest(
            "rows", f"{path}: expected rows with id, prompt and completion, found an empty file."
        )
    kept = {row.id for row in rows}
    return AuditedRows(rows, frozenset(seen.keys() - kept))


_MIXED = {
    False: "expected a pair like the rows before it, found a row with one completion",
    True: "expected one completion like the rows before it, found a pair",
}


def _is_pair(row: ExternalAuditRow, where: str) -> bool:
    """Whether a row is a pair; raises BadRequest where it has neither or both, or the truth of the other."""
    sides = (row.completion_a is not None) + (row.completion_b is not None)
    if row.completion is not None:
        if sides:
            raise BadRequest(
                "rows", f"{where}: expected completion, or completion_a and completion_b; found both."
            )
        if row.preference is not None:
            raise BadRequest(
                "rows",
                f"{where}: preference: expected it on pairs only; for one completion, give is_correct.",
            )
        return False
    if sides != 2:
        found = "neither" if sides == 0 else "half of a pair"
        raise BadRequest(
            "rows", f"{where}: expected completion, or completion_a and completion_b; found {found}."
        )
    if row.is_correct is not None or row.ground_truth is not None:
        raise BadRequest("rows", f"{where}: expected the truth of a pair as preference (A, B or tie).")
    return True


def _refuse_computed_fields(row: ExternalAuditRow, where: str) -> None:
    taken = next((name for name in COMPUTED_FIELDS if name in row.fields), None)
    if taken is not None:
        raise BadRequest(
            "rows", f"{where}: fields.{taken}: expected another name, since gavel makes {taken} itself."
        )


def _audit_row(row: ExternalAuditRow, path: Path) -> AuditRow:
    # Every value was checked above, and a second check would take as long as reading the file.
    return AuditRow.model_construct(
        id=row.id,
        prompt_id=prompt_hash(row.prompt)[:16],
        prompt=row.prompt,
        completion=row.completion if row.completion is not None else row.completion_a,
        completion_b=row.completion_b,
        ground_truth=row.ground_truth,
        is_correct=row.is_correct,
        preference=row.preference,
        source=row.source or path.name,
        fields={name: field_text(value) for name, value in row.fields.items()},
    )


def _content_digest(row: AuditRow) -> str:
    truth = [row.ground_truth, row.is_correct, row.preference]
    return hashlib.sha256(
        json.dumps([row.prompt, row.completion, row.completion_b, *truth]).encode()
    ).hexdigest()


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part).encode())
    return digest.hexdigest()
