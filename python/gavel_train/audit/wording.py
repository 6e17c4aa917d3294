"""Words of findings: contestants and figures as sentences name them."""

from __future__ import annotations

from gavel_train.audit.intervals import LEAST_PROMPTS
from gavel_train.contracts import MeasureRecord

_NAMES = {"judge": "The judge", "grader": "The grader", "base": "The untrained base"}


def who(role: str, mode: str) -> str:
    """A contestant at the start of a sentence, with its mode where it was asked in one."""
    name = _NAMES.get(role, f"Contestant {role}")
    return name if mode == "file" else f"{name} ({mode.replace('_', ' ')})"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """A difference of shares in points of per cent."""
    return f"{100 * difference:.1f}"


def too_few(record: MeasureRecord) -> str | None:
    """Why bounds settle nothing: there are fewer prompts than a gate needs; None: there are enough."""
    if record.prompts >= LEAST_PROMPTS:
        return None
    return f"{record.prompts} prompts are too few to tell, since a gate needs {LEAST_PROMPTS}"


def bounds(record: MeasureRecord) -> tuple[float, float, float] | None:
    """Point, low and high; None where the record lacks one."""
    if record.point is None or record.low is None or record.high is None:
        return None
    return record.point, record.low, record.high
