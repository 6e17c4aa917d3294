"""One line of a file that a spec names. Errors never quote it: a spec may name any file of the worker's."""

from __future__ import annotations

import json
from typing import Any


def object_in(line: str, where: str) -> dict[str, Any]:
    """Return the JSON object of a line; raises ValueError naming `where` and what was found instead."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{where}: expected a JSON object, got {len(line.strip())} characters that are no JSON "
            f"({error.msg} at column {error.colno})"
        ) from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, got {kind_of(record)}")
    return record


def kind_of(value: Any) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "text" if value.strip() else "empty text"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names[type(value)]
