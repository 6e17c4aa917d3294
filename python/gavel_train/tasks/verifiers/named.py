"""The verifiers that a spec can name, and the params that each of them reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gavel_train.tasks.verifiers.choice import Choice, Labels, labels_of
from gavel_train.tasks.verifiers.contains import MAX_WORDS, Contains
from gavel_train.tasks.verifiers.evened import IGNORABLE, Ignore
from gavel_train.tasks.verifiers.exact import Exact
from gavel_train.tasks.verifiers.math_answer import Math
from gavel_train.tasks.verifiers.number import Number
from gavel_train.tasks.verifiers.own import is_own, own_verifier
from gavel_train.tasks.verifiers.pattern import Regex, compiled
from gavel_train.tasks.verifiers.verifier import Verifier

# Which params each verifier reads.
PARAMS: dict[str, tuple[str, ...]] = {
    "exact": ("ignore",),
    "contains": ("max_words",),
    "regex": ("pattern", "ignore"),
    "choice": ("choices", "choices_field"),
    "number": (),
    "marked_number": (),
    "math": (),
    "none": (),
}


def verifier_named(name: Any, params: Mapping[str, Any]) -> Verifier | None:
    """Return the verifier of that name with these params, None for "none".

    Raises ValueError naming the param that is unknown, missing or of no use.
    """
    if not isinstance(name, str) or not (name in PARAMS or is_own(name)):
        raise ValueError(
            f"Expected param 'verifier' to be one of {', '.join(PARAMS)}, or package.module:function, "
            f"got {name!r}"
        )
    read = PARAMS.get(name, ())
    for param in params:
        if param not in read:
            knows = f"it reads {' and '.join(read)}" if read else "it has none"
            raise ValueError(f"Verifier {name!r} has no parameter {param!r}; {knows}")
    match name:
        case "exact":
            return Exact(_ignored(params, ()))
        case "contains":
            return Contains(_max_words(params))
        case "regex":
            return Regex(compiled(params.get("pattern")), _ignored(params, ("case", "spaces")))
        case "choice":
            return _choice(params)
        case "number":
            return Number(name, "lenient")
        case "marked_number":
            return Number(name, "strict")
        case "math":
            return Math()
        case "none":
            return None
    return own_verifier(name)


def _ignored(params: Mapping[str, Any], standard: tuple[Ignore, ...]) -> frozenset[Ignore]:
    given = params.get("ignore", list(standard))
    if not isinstance(given, list) or not all(one in IGNORABLE for one in given):
        raise ValueError(f"Expected param 'ignore' to be a list of {', '.join(IGNORABLE)}, got {given!r}")
    return frozenset(given)


def _max_words(params: Mapping[str, Any]) -> int:
    given = params.get("max_words", MAX_WORDS)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError(f"Expected param 'max_words' to be a whole number from 1, got {given!r}")
    return given


def _choice(params: Mapping[str, Any]) -> Choice:
    if ("choices" in params) == ("choices_field" in params):
        raise ValueError(
            "Expected param 'choices' (labels for all rows) or 'choices_field' (the field with a row's "
            "labels) for verifier 'choice', got both or neither"
        )
    if "choices" in params:
        labels: Labels | None = labels_of(params["choices"])
        if labels is None:
            raise ValueError(
                "Expected param 'choices' to be a list of two labels or more, or an object of labels and "
                f"texts, all of which differ by more than case and signs, got {params['choices']!r}"
            )
        return Choice(labels, None)
    field = params["choices_field"]
    if not isinstance(field, str) or not field:
        raise ValueError(f"Expected param 'choices_field' to be the name of a field, got {field!r}")
    return Choice(None, field)
