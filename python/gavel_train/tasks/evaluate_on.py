"""The further tasks of `task.evaluate_on`, whose problems measure the policy beside its held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gavel_train.contracts import EvaluateOn, PromptRow
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks import check_of, splits_of
from gavel_train.tasks.json_lines import UnusableData

# What comes before the label in the name of an artifact of stage grpo with the answers to a further task.
EVAL_ROWS_ON = "eval_rows_on_"


def label_of(one: EvaluateOn) -> str:
    """Return what report and metrics call a further task."""
    return one.label or one.name


def split_of(one: EvaluateOn) -> str:
    """Return the name of its file of prompts, data/<split>.jsonl."""
    return f"on-{label_of(one)}"


def make_further(
    further: Sequence[EvaluateOn], own: Mapping[str, Sequence[PromptRow]], root: Path
) -> dict[str, list[PromptRow]]:
    """Make the problems of each further task, by split.

    Raises BadRequest naming the entry where its data or params cannot be used, where nothing checks its
    answers, and where a problem of it is one of the run's own: the policy may have been trained on it.
    """
    trained = {row.prompt: split for split, rows in own.items() for row in rows}
    return {
        split_of(one): _rows(one, f"task.evaluate_on.{at}", trained, root) for at, one in enumerate(further)
    }


def _rows(one: EvaluateOn, field: str, trained: Mapping[str, str], root: Path) -> list[PromptRow]:
    try:
        made = splits_of(one, {"train": 0, "eval": 0, "audit": one.prompts}, root)["audit"]
        verifier = check_of(one)
    except UnusableData as error:
        raise BadRequest(f"{field}.path", str(error)) from None
    except ValueError as error:
        raise BadRequest(f"{field}.params", str(error)) from None
    rows = [PromptRow.model_validate(row) for row in made]
    if verifier is None or any(row.ground_truth is None for row in rows):
        raise BadRequest(
            field, f"Expected a verifier and a truth for each problem of {label_of(one)}, found none"
        )
    shared = [row.id for row in rows if row.prompt in trained]
    if shared:
        raise BadRequest(
            field,
            f"Expected problems of {label_of(one)} that are in no split of the run, found {len(shared)} of "
            f"{len(rows)} in one (the first: {shared[0]}). Choose another seed, path or params",
        )
    return rows
