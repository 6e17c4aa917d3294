"""What a trace teaches: a score or, of a pair, which of the completions shown is preferred."""

from __future__ import annotations

from typing import Literal

from gavel_train.contracts import Trace
from gavel_train.run.outcome import BadRequest

ShownPreference = Literal["first", "tie", "second"]
Outcome = int | ShownPreference

_SHOWN_FIRST = {"ab": "A", "ba": "B"}


def outcome_of(trace: Trace) -> Outcome:
    """Return the score of a scored trace or, of a pair, the preference by what is shown first."""
    if trace.score is not None:
        return trace.score
    preferred = preferred_in(trace)
    if preferred is None:
        raise BadRequest(None, f"Expected a score in the scored trace {trace.key}, found none.")
    return preferred


def preferred_in(trace: Trace) -> ShownPreference | None:
    """Return which of the completions that a trace shows is preferred; None: it is about one completion."""
    preference = trace.preference
    if preference is None:
        return None
    if preference.label == "tie":
        return "tie"
    return "first" if _SHOWN_FIRST[preference.order] == preference.label else "second"


def shown_in(trace: Trace) -> tuple[str, str | None]:
    """Return the completions of a trace in the order in which they are shown; None: there is no second."""
    if trace.opponent is None:
        return trace.completion, None
    turned = trace.preference is not None and trace.preference.order == "ba"
    return (trace.opponent, trace.completion) if turned else (trace.completion, trace.opponent)
