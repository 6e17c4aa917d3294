"""Tasks: where prompts come from, and the exact check of an answer. One module a data set.

A module has `make_splits(params, sizes, seed, root, path)`, which returns rows `{id, prompt, ground_truth,
meta}` for the splits train, eval and audit, and `verifier_of(params)`, which returns a Verifier, or None
where nothing checks answers. Both raise ValueError with a message for the person who wrote the spec; it is
UnusableData where `task.path` is at fault.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gavel_train.contracts import EvaluateOn, PromptRow, TaskSpec
from gavel_train.tasks.verifiers.verifier import Checked, Verifier

__all__ = ["Checked", "Rows", "Verifier", "Verify", "check_of", "make_splits", "splits_of", "verifier_of"]

Rows = list[dict[str, Any]]
Verify = Callable[[str, PromptRow], float | None]


def make_splits(task: TaskSpec, root: Path) -> dict[str, Rows]:
    """Make the prompts that a spec asks for."""
    sizes = {"train": task.train_prompts, "eval": task.eval_prompts, "audit": task.audit_prompts}
    return splits_of(task, sizes, root)


def splits_of(task: TaskSpec | EvaluateOn, sizes: dict[str, int], root: Path) -> dict[str, Rows]:
    """Make so many prompts of each split."""
    path = None if task.path is None else root / task.path
    return _module(task).make_splits(task.params, sizes, task.seed, root, path)


def check_of(task: TaskSpec | EvaluateOn) -> Verifier | None:
    """Return the check of a task's completions, None where nothing checks them."""
    return _module(task).verifier_of(task.params)


def verifier_of(task: TaskSpec | EvaluateOn) -> Verify:
    """Return the check of a completion: 1.0 right, 0.0 wrong, None where nothing says what is right."""
    verifier = check_of(task)

    def verify(completion: str, row: PromptRow) -> float | None:
        if verifier is None or row.ground_truth is None:
            return None
        return verifier.check(completion, row).value

    return verify


def _module(task: TaskSpec | EvaluateOn) -> ModuleType:
    return importlib.import_module(f"gavel_train.tasks.{task.name}")
