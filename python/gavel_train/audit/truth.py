"""What is true of the audited rows: whether a completion is right, or which of a pair is better."""

from collections.abc import Callable

import numpy as np

from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import PAIRWISE, RIGHT, UNKNOWN, Ints
from gavel_train.contracts import AuditRow
from gavel_train.tasks import gsm8k_verifier

Verify = Callable[[str, str], bool | None]


def truth_of(rows: AuditedRows, verify: Verify | None = None) -> Ints:
    """Return the true label of each row as an index into `rows.labels`, UNKNOWN where nothing tells.

    A label on the row counts as it is. Where a completion has only a ground truth,
    `verify(completion, ground_truth)` tells.
    """
    label_of = _preference if rows.subject == "pairwise" else _rightness
    return np.array([label_of(row, verify) for row in rows.rows], dtype=np.int64)


def equal_answers(completion: str, ground_truth: str) -> bool | None:
    """Whether a completion is the ground truth, or ends in it where the whole truth is a number.

    None where the truth is text that the completion holds among other words: "It is not Paris" holds
    "Paris" too, and whether it is right takes more than a comparison.
    """
    if gsm8k_verifier.number_of_truth(ground_truth) is not None:
        return gsm8k_verifier.verify(completion, ground_truth, "lenient")
    said, truth = _evened(completion), _evened(ground_truth)
    if said == truth:
        return True
    return None if truth in said else False


def _preference(row: AuditRow, verify: Verify | None) -> int:
    del verify
    return UNKNOWN if row.preference is None else PAIRWISE.index(row.preference)


def _rightness(row: AuditRow, verify: Verify | None) -> int:
    right = row.is_correct
    if right is None and row.ground_truth is not None and verify is not None:
        right = verify(row.completion, row.ground_truth)
    if right is None:
        return UNKNOWN
    return RIGHT if right else 1 - RIGHT


def _evened(text: str) -> str:
    """A text without what does not count in a comparison: case, white space, a full stop at its end."""
    return " ".join(text.casefold().split()).rstrip(".")
