"""What tasks of word problems share: the instruction after each question, and how a number is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gavel_train.tasks.gsm8k_verifier import Reading
from gavel_train.tasks.json_lines import UnusableData

INSTRUCTION = 'Solve the problem step by step. End with a line "#### " followed by the answer as a number.'


@dataclass(frozen=True)
class WordProblem:
    """A published problem: `truth` is its answer, `meta` what else is known of it."""

    id: str
    question: str
    truth: str
    meta: dict[str, Any] = field(default_factory=dict)

    def row(self, instruction: str) -> dict[str, Any]:
        """Return the row of a split."""
        prompt = f"{self.question}\n\n{instruction}"
        return {"id": self.id, "prompt": prompt, "ground_truth": self.truth, "meta": self.meta}


def distinct(problems: Sequence[WordProblem], path: Path) -> list[WordProblem]:
    """Return the first problem of each question; raises UnusableData where two have different answers."""
    first: dict[str, WordProblem] = {}
    for problem in problems:
        kept = first.setdefault(problem.question, problem)
        if kept.truth != problem.truth:
            raise UnusableData(
                f"{path}: the question of {kept.id} again, with another answer, in {problem.id}"
            )
    if not first:
        raise UnusableData(f"{path}: expected problems, found none")
    return list(first.values())


def reading_of(params: dict[str, Any]) -> Reading:
    """Return what counts as the answer of a completion; raises ValueError for anything else."""
    reading = params.get("answer", "strict")
    if reading not in ("strict", "lenient"):
        raise ValueError(f"Expected param 'answer' to be strict or lenient, got {reading!r}")
    return reading


def instruction_of(
    params: dict[str, Any], task: str, *, own: Sequence[str] = (), standard: str = INSTRUCTION
) -> str:
    """Return the text put after each question; raises ValueError for params that `task` does not have.

    Every task of word problems has `instruction` and `answer`; `own` are its further ones.
    """
    known = ["instruction", "answer", *own]
    for name in sorted(set(params) - set(known)):
        raise ValueError(f"{task} has no parameter {name!r}; expected {' or '.join(known)}")
    instruction = params.get("instruction", standard)
    if not isinstance(instruction, str):
        raise ValueError(f"Expected param 'instruction' to be text, got {instruction!r}")
    return instruction
