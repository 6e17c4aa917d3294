"""Whether the completions of audit rows are right, by label or by ground truth."""

from collections.abc import Callable, Sequence

from gavel_train.contracts import AuditRow

Verify = Callable[[str, str], bool | None]


def truths(rows: Sequence[AuditRow], verify: Verify | None = None) -> dict[str, bool]:
    """Whether the completion of each row is right, by row id; rows without a known truth are absent.

    A label on the row counts as it is. Where there is only a ground truth, `verify(completion,
    ground_truth)` tells.
    """
    known: dict[str, bool] = {}
    for row in rows:
        if row.is_correct is not None:
            known[row.id] = row.is_correct
        elif row.ground_truth is not None and verify is not None:
            right = verify(row.completion, row.ground_truth)
            if right is not None:
                known[row.id] = right
    return known
