"""What gates need to know of an audit besides its records."""

from collections.abc import Sequence
from dataclasses import dataclass

from gavel_train.audit.looks import confidence_of_look
from gavel_train.audit.slices import SlicedField


@dataclass(frozen=True)
class Scope:
    """Rows and prompts that are audited, by whom, and in which slices; `asked` holds roles and modes."""

    headline_mode: str
    rows: int
    prompts: int
    asked: Sequence[tuple[str, str]] = ()
    fields: Sequence[SlicedField] = ()
    asked_confidence: float = 0.95
    look: int = 1

    @property
    def confidence(self) -> float:
        """Level of the intervals of this audit."""
        return confidence_of_look(self.asked_confidence, self.look)

    @property
    def next_confidence(self) -> float:
        """Level of the intervals of an audit of these rows and more, which is a further look."""
        return confidence_of_look(self.asked_confidence, self.look + 1)
