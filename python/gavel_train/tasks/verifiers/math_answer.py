"""Verifier `math`: the completion's answer equals the truth as mathematics, by the package math-verify.

math-verify finds the answer (the last `\\boxed{}`, "the answer is", else the last expression in LaTeX or
plain notation) and compares by sympy: 1/2 is 0.5, \\frac{1}{2} and 50\\%; (1, 2) is no {2, 1}; x = 3 is 3.
An answer that hedges ("3 or 4") is read by its last expression, as `number` reads it.

sympy may need for ever, and memory without bound, for a text that a model writes (10^{10^{10}}), and no
signal ends that in a thread or in one big multiplication. So a process of its own compares, within limits of
processor time and memory (math_process); an answer that it cannot compare within them is wrong, and the log
says so. Only the last 4,000 characters are read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks.verifiers.math_process import TooSlow, ask
from gavel_train.tasks.verifiers.verifier import Checked

# Answers stand at the end, and math-verify looks for them everywhere.
_READ_CHARS = 4_000
# math-verify reads "the capital" as a product of ten letters.
_WORD = re.compile(r"[A-Za-z]{3,}")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[A-Za-z*]+\})?")
_FUNCTIONS = {
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "log",
    "exp",
    "sqrt",
    "max",
    "min",
    "abs",
    "mod",
    "gcd",
    "lcm",
}


class Math:
    """Compares by math-verify."""

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the completion's answer with the truth."""
        assert row.ground_truth is not None
        try:
            right, read = _compare(completion[-_READ_CHARS:], row.ground_truth)
        except TooSlow as error:
            print(
                f"verifier math: a completion of {len(completion)} characters (row {row.id}) was not "
                f"compared: {error}; it counts as wrong",
                file=sys.stderr,
            )
            return Checked(0.0, None)
        return Checked(1.0 if right else 0.0, read)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse a truth that is words, that math-verify cannot read, or that does not equal itself."""
        if set(_WORD.findall(_COMMAND.sub("", truth))) - _FUNCTIONS:
            return "expected mathematics for verifier 'math', got words"
        try:
            right, read = _compare(truth, truth)
        except TooSlow as error:
            return f"expected mathematics that math-verify compares, got what it does not: {error}"
        if read is None:
            return "expected mathematics that math-verify reads for verifier 'math', got other text"
        return None if right else "expected mathematics that math-verify finds equal to itself, got other"

    def right_answer(self, truth: str) -> str:
        """Return the truth as LaTeX, unless it is marked as such."""
        return truth if "$" in truth or "\\boxed" in truth else f"${truth}$"


# GRPO groups repeat the same few answers, and sympy needs milliseconds for each.
@lru_cache(maxsize=65536)
def _compare(completion: str, truth: str) -> tuple[bool, str | None]:
    return ask(completion, truth)
