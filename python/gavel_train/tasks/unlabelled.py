"""Rows whose truth is hidden from the reward, for semi-supervised training."""

from __future__ import annotations

import random
from collections.abc import Sequence

from gavel_train.contracts import PromptRow


def hide_truths(rows: Sequence[PromptRow], fraction: float, seed: int) -> list[PromptRow]:
    """Return the rows, the truth of a share of them moved to `hidden_truth`.

    The share is of the rows that have a truth, rounded to whole rows. Raises ValueError where it is above 0
    and no row has one.
    """
    known = [at for at, row in enumerate(rows) if row.ground_truth is not None]
    if fraction > 0 and not known:
        raise ValueError("Expected rows with a ground truth, of which a share is hidden, found none")
    hidden = set(random.Random(f"unlabelled:{seed}").sample(known, round(fraction * len(known))))
    return [without_truth(row) if at in hidden else row for at, row in enumerate(rows)]


def without_truth(row: PromptRow) -> PromptRow:
    """Return a row that hides its truth."""
    return row.model_copy(update={"ground_truth": None, "hidden_truth": row.ground_truth})


def with_truth(row: PromptRow) -> PromptRow | None:
    """Return a row as it was before its truth was hidden, None where it hides none."""
    if row.hidden_truth is None:
        return None
    return row.model_copy(update={"ground_truth": row.hidden_truth, "hidden_truth": None})
