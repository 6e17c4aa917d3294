"""What rows can be sliced by in an audit: short values, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Longer text is content, say a worked solution, and each row has its own.
_LONGEST_VALUE = 80


def fields_of(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a prompt's `meta` that hold short text, a number, or true or false."""
    texts = {name: field_text(value) for name, value in meta.items() if isinstance(value, str | int | float)}
    return {name: text for name, text in texts.items() if len(text) <= _LONGEST_VALUE}


def field_text(value: str | float | bool) -> str:
    """Return a value as slices name it: 3 and 3.0 are the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
