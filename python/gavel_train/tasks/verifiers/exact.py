"""Verifier `exact`: the whole completion is the truth.

White space at the ends and the Unicode form (composed or decomposed) never count; all else does, unless
`params.ignore` names it. "The capital of France is Paris." is not "Paris" in any way: `contains` reads
sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks.verifiers.evened import Ignore, evened
from gavel_train.tasks.verifiers.verifier import Checked


@dataclass(frozen=True)
class Exact:
    """Compares whole texts, of which `ignore` names what does not count."""

    ignore: frozenset[Ignore] = frozenset()

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the whole completion with the truth."""
        assert row.ground_truth is not None
        said = evened(completion, self.ignore)
        return Checked(1.0 if said == evened(row.ground_truth, self.ignore) else 0.0, said)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse a truth of which nothing is left, since an empty completion would equal it."""
        return None if evened(truth, self.ignore) else "expected text, of which more than `ignore` is left"

    def right_answer(self, truth: str) -> str:
        """Return the truth itself."""
        return truth
