"""What a verifier is: the exact check of a completion against the truth of its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gavel_train.contracts import PromptRow


class Checked(NamedTuple):
    """The outcome of one check: `value` from 0 (wrong) to 1 (right), and what was read as the answer.

    `read` is None where the completion holds nothing that the verifier takes for an answer.
    """

    value: float
    read: str | None


class Verifier(Protocol):
    """The check of one task. No method raises on the text of a model or of a row."""

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Check a completion of a row whose ground truth is there."""
        ...

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Return why this verifier cannot use a row's truth ("expected a number, got other text"), else None.

        `fields` are the row's other fields. The reason quotes neither: it may go into Temporal's history.
        """
        ...

    def right_answer(self, truth: str) -> str:
        """Return a completion that gives a truth in the way that this verifier asks for."""
        ...


@dataclass(frozen=True)
class Comparison:
    """A verifier that compares what `read` finds in a completion with the truth."""

    equal: Callable[[str, str], bool]
    read: Callable[[str], str | None]

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare; the truth of the row is there."""
        assert row.ground_truth is not None
        right = self.equal(completion, row.ground_truth)
        return Checked(1.0 if right else 0.0, self.read(completion))

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse nothing."""
        return None

    def right_answer(self, truth: str) -> str:
        """Return the truth itself."""
        return truth
