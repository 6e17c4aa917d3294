"""Lines of a file that a spec names. Errors never quote one: a spec may name any file of the worker's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class UnusableData(ValueError):
    """What `task.path` names is not there, or holds no prompts that the spec can use."""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not blank, with their numbers from 1; raises UnusableData."""
    # As bytes: a text reader decodes ahead, so its error would name a line further up.
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise UnusableData(
                    f"{path}:{number}: expected text in UTF-8, got other bytes at column {error.start + 1}"
                ) from None
            if text.strip():
                yield number, text


def object_in(line: str, where: str) -> dict[str, Any]:
    """Return the JSON object of a line; raises UnusableData naming `where` and what was found instead."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UnusableData(
            f"{where}: expected a JSON object, got {len(line.strip())} characters that are no JSON "
            f"({error.msg} at column {error.colno})"
        ) from None
    if not isinstance(record, dict):
        raise UnusableData(f"{where}: expected a JSON object, got {kind_of(record)}")
    return record


def kind_of(value: Any) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "text" if value.strip() else "empty text"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names[type(value)]
