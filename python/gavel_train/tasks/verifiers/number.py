"""Verifiers `number` and `marked_number`: the completion's number equals the truth's.

`marked_number` reads the number after the last `####` or in the last `\\boxed{}` and nothing else;
`number` reads the last number of the text where neither mark is there. So an answer that names several
numbers without a mark is taken by its last one: "5 or 6" is right where 6 is. gsm8k_verifier states how a
number is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks import gsm8k_verifier
from gavel_train.tasks.verifiers.verifier import Checked


@dataclass(frozen=True)
class Number:
    """Compares numbers; `name` is what the spec calls the verifier."""

    name: str
    reading: gsm8k_verifier.Reading

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the completion's number with the truth's."""
        assert row.ground_truth is not None
        right = gsm8k_verifier.verify(completion, row.ground_truth, self.reading)
        found = gsm8k_verifier.answer_in(completion, self.reading)
        return Checked(1.0 if right else 0.0, None if found is None else f"{found:.12g}")

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse what is no number as a whole, "42 km" too."""
        if gsm8k_verifier.number_of_truth(truth) is not None:
            return None
        return f"expected a number for verifier {self.name!r}, got other text"

    def right_answer(self, truth: str) -> str:
        """Return the truth after a mark, which either reading reads; one that has a mark stays as it is."""
        return truth if gsm8k_verifier.marked_answer(truth) is not None else f"#### {truth}"
