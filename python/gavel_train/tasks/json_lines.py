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


def records_in(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield number from 1, place and content of each object of a file: JSON lines, or one JSON list.

    Raises UnusableData naming the place, and where the file is not there.
    """
    if not path.is_file():
        raise UnusableData(f"{path}: expected a file of JSON lines or a JSON list, found no such file")
    with path.open("rb") as file:
        is_list = file.read(64).lstrip().startswith(b"[")
    if not is_list:
        for number, line in numbered_lines(path):
            yield number, f"{path}:{number}", object_in(line, f"{path}:{number}")
        return
    try:
        entries = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        at = (
            f"line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "its bytes"
        )
        raise UnusableData(f"{path}: expected a JSON list, got what is no JSON at {at}") from None
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: entry {number}"
        if not isinstance(entry, dict):
            raise UnusableData(f"{where}: expected an object, got {kind_of(entry)}")
        yield number, where, entry


def text_at(record: dict[str, Any], field: str, where: str) -> str:
    """Return the text of a record's field; raises UnusableData where it has none."""
    found = record.get(field)
    if not isinstance(found, str) or not found.strip():
        raise UnusableData(f"{where}: field {field!r}: expected text, got {kind_of(found)}")
    return found
