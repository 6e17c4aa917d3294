"""Tasks: where prompts come from, and the exact check of an answer. One module a data set.

A module has `make_splits(params, sizes, seed, root, path)`, which returns rows
`{id, prompt, ground_truth, meta}` for the splits train, eval and audit, and `verify(completion,
ground_truth)` or a `verifier_of(params)` that returns one. All raise ValueError with a message for
the person who wrote the spec; it is UnusableData where `task.path` is at fault.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gavel_train.contracts import PromptRow, TaskSpec

Rows = list[dict[str, Any]]
Verifier = Callable[[str, PromptRow], float | None]


def make_splits(task: TaskSpec, root: Path) -> dict[str, Rows]:
    """Make the prompts that a spec asks for."""
    sizes = {"train": task.train_prompts, "eval": task.eval_prompts, "audit": task.audit_prompts}
    if task.name == "poly_easy":
        from gavel_train.tasks import poly_easy

        return poly_easy.make_splits(task.params, sizes, task.seed, root)
    path = None if task.path is None else root / task.path
    if task.name == "gsm8k":
        from gavel_train.tasks import gsm8k

        return gsm8k.make_splits(task.params, sizes, task.seed, root, path)
    from gavel_train.tasks import jsonl

    return jsonl.make_splits(task.params, sizes, task.seed, root, path)


def verifier_of(task: TaskSpec) -> Verifier:
    """Return the check of a completion: 1.0 right, 0.0 wrong, None where nothing says what is right."""
    check = _check_of(task)

    def verify(completion: str, row: PromptRow) -> float | None:
        if check is None or row.ground_truth is None:
            return None
        return 1.0 if check(completion, row.ground_truth) else 0.0

    return verify


def _check_of(task: TaskSpec) -> Callable[[str, str], bool] | None:
    if task.name == "poly_easy":
        from gavel_train.tasks import poly_easy

        return poly_easy.verify
    if task.name == "gsm8k":
        from gavel_train.tasks import gsm8k

        return gsm8k.verifier_of(task.params)
    from gavel_train.tasks import jsonl

    return jsonl.verifier_of(task.params)
