"""One line of a file that a user brings: parsed, or refused with what was expected and found, and where."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gavel_train.run.outcome import BadRequest

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_QUOTE = 60
# What pydantic adds to the place of an error in a value that may have one of several types.
_ALTERNATIVES = ("str", "float", "int", "bool")


def lines_of(path: Path, field: str) -> Iterator[tuple[str, bytes]]:
    """Yield `path:number` and content of each line that is not blank; raises BadRequest without a file."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                # Some editors put the mark of UTF-8 before the first line.
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if content.strip():
                    yield f"{path}:{number}", content
    except OSError as error:
        raise BadRequest(
            field, f"Expected a readable file at {path}, found: {error.strerror or error}."
        ) from error


def parse_line(model: type[Model], line: bytes, where: str, *, field: str, unknown: str = "") -> Model:
    """Return the model of a line; raises BadRequest about `field`, advising `unknown` on unknown names."""
    try:
        given = _DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequest(field, f"{where}: expected a JSON object, found no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise BadRequest(field, f"{where}: expected a JSON object, found {_quoted(given)}.")
    # The escape of half a character is the only way to one: the line itself was UTF-8.
    broken = b"\\ud" in line.lower() and next((name for name in given if not _is_text(given, name)), None)
    if broken:
        raise BadRequest(
            field,
            f"{where}: {broken.encode(errors='replace').decode()}: expected text, found an escape such as "
            "\\ud83d without its other half.",
        )
    try:
        return model.model_validate(given, strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # An unknown name explains a missing one: it is the same name, misspelt.
        first = next((one for one in details if one["type"] == "extra_forbidden"), details[0])
        raise BadRequest(field, f"{where}: {_complaint(model, first, unknown)}") from None


def _is_text(given: dict[str, Any], name: str) -> bool:
    """Whether a field, name included, can be written as UTF-8."""
    try:
        json.dumps({name: given[name]}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(text: str) -> float:
    """A number; 7.0 is the whole number 7, as it is in TypeScript."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


# Made once: a decoder a line would take as long as the decoding.
_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_refuse_constant)


def _complaint(model: type[BaseModel], error: ErrorDetails, unknown: str) -> str:
    place = [str(part) for part in error["loc"]]
    alternatives = len(place) > 1 and place[-1] in _ALTERNATIVES
    name = ".".join(place[:-1] if alternatives else place)
    if error["type"] == "extra_forbidden":
        known = list(model.model_fields)
        near = difflib.get_close_matches(name, known, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        return f"expected the fields {', '.join(known)}; found {name!r}.{meant}{unknown and ' ' + unknown}"
    if error["type"] == "missing":
        return f"{name}: expected a value, found none."
    if alternatives:
        return f"{name}: expected text, a number, true or false, found {_quoted(error['input'])}."
    expected = re.sub(r"^(Input|String|List|Value|Dictionary) should (be )?(a valid )?", "", error["msg"])
    return f"{name}: expected {expected}, found {_quoted(error['input'])}."


def _quoted(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
