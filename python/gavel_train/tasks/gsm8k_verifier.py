"""The exact check of a completion's final number against the known right one.

strict     the number after the last `####`, or in the last `\\boxed{}`; a completion without either is wrong.
           Training pays by it, since the last number of an answer that was cut off may be right by chance.
lenient    where neither mark is there, the last number of the text; for solutions in free form.
"""

from __future__ import annotations

import re
from typing import Literal

Reading = Literal["strict", "lenient"]

_MINUS = str.maketrans("\u2212\ufe63\uff0d", "---")
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\,|[\u00a0\u2009\u202f])(?=\d{3}(?!\d))")
_MARK = re.compile(r"####|\\boxed\s*\{")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
# What Markdown and LaTeX put around a number: bold, code, \$, \%, \text.
_ORNAMENT = re.compile(r"(?<!\d)\*\*|\*\*(?!\d)|`|\\(?:[$%!,; ]|text\b|mathrm\b|mathbf\b)")
# A minus sign after a digit, a letter or a bracket is an operation, as in 10-5.
_NUMBER = re.compile(
    r"(?P<minus>(?<![\w)])-)?(?:\$\s?)?(?P<inner>(?<=\$)-)?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+)"
)
_MIXED = re.compile(r"\s+(\d+)\s*/\s*(\d+)(?![\d.])")
_DENOMINATOR = re.compile(r"\s*/\s*(\d+)(?![\d.])")
# What follows makes the number a part of something else: 10 - 5, 2 * 3, 2**3, 3:30, 1,5.
_GOES_ON = re.compile(
    r"[.,]\d|\s*(?:[-+/x\u00d7\u00f7:^]|\*{1,2}|\\times|\\cdot|\\div)\s*[$({]*\d", re.IGNORECASE
)

# A second number after the answer; the 2 of m2 and m^2 is none.
_ANOTHER = re.compile(r"(?<![\w^])(?<!\^\{)\d")
# Several equations: "x = 3, y = 4".
_LISTED = re.compile(r"[,;]\s|\b(?:or|and)\b", re.IGNORECASE)
# Of 3/4/2020 the last number is 2020.
_FRACTION_AT_END = re.compile(
    r"(?P<minus>(?<![\w)])-)?(?:(?P<whole>(?<![\d.,/])\d+)\s+)?"
    r"(?<![\d.,/])(?P<above>\d+)\s*/\s*(?P<below>\d+)$"
)


def verify(completion: str, ground_truth: str, reading: Reading = "strict") -> bool:
    """Say whether the completion's answer equals the ground truth as a number; 1,234 and 1234.0 are equal.

    False where the ground truth is no number: a number in it, as in "42 km", is not all that it says.
    """
    answer, truth = answer_in(completion, reading), number_of_truth(ground_truth)
    return answer is not None and truth is not None and abs(answer - truth) < 1e-6


def number_of_truth(text: str) -> float | None:
    """Return the number that the whole text is, $, %, and a fraction allowed, or that it marks; else None."""
    text = _plain(text)
    if _MARK.search(text):
        return answer_in(text, "strict")
    found = _first_number(_without_ornament(text))
    if found is None:
        return None
    value, before, rest = found
    return value if before == "" and rest.strip() in ("", "%", ".") else None


def marked_answer(text: str) -> str | None:
    """Return what the last mark of a text holds, as text; None without a mark."""
    marked = _marked(_plain(text))
    return _without_ornament(marked[-1]) if marked else None


def answer_in(text: str, reading: Reading) -> float | None:
    """Return the number that a text gives as its answer, or None."""
    text = _plain(text)
    for content in reversed(_marked(text)):
        answer = _number_of(content)
        if answer is not None or reading == "strict":
            return answer
    if reading == "strict":
        return None
    text = _FRACTION.sub(r"\1/\2", text)
    numbers = list(_NUMBER.finditer(text))
    return _last_number(text, numbers[-1]) if numbers else None


def _plain(text: str) -> str:
    return _THOUSANDS.sub("", text.translate(_MINUS))


def _marked(text: str) -> list[str]:
    """What each mark holds: the rest of the line of `####` (or the next line), the braces of `\\boxed`."""
    contents: list[str] = []
    for mark in _MARK.finditer(text):
        rest = text[mark.end() :]
        contents.append((rest.lstrip().splitlines() or [""])[0] if mark.group() == "####" else _braced(rest))
    return contents


def _braced(text: str) -> str:
    depth = 1
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:position]
    # A box that is not closed was cut off, perhaps in the middle of a number.
    return ""


def _number_of(content: str) -> float | None:
    """The one number of a marked answer: after its last "=", a fraction as such.

    None for an open expression, and for more numbers than one: "5 or 6" would be right twice.
    """
    before, _, content = _without_ornament(content).rpartition("=")
    found = _first_number(content.strip())
    if found is None or _LISTED.search(before):
        return None
    value, _, rest = found
    return None if _GOES_ON.match(rest) or _ANOTHER.search(rest) else value


def _without_ornament(text: str) -> str:
    return _ORNAMENT.sub("", _FRACTION.sub(r"\1/\2", text)).strip()


def _first_number(content: str) -> tuple[float | None, str, str] | None:
    """The first number of a text (None: divided by 0), what stands before it, and what follows."""
    content = re.sub(r"^-\s+", "-", content)
    found = _NUMBER.search(content)
    if found is None:
        return None
    value, end = _value(found), found.end()
    if mixed := _MIXED.match(content, end):
        part = _ratio(int(mixed[1]), int(mixed[2]))
        value = None if part is None else value + (-part if value < 0 else part)
        end = mixed.end()
    elif fraction := _DENOMINATOR.match(content, end):
        value, end = _ratio(value, int(fraction[1])), fraction.end()
    return value, content[: found.start()], content[end:]


def _last_number(text: str, last: re.Match[str]) -> float | None:
    """The last number of a text, or the fraction whose denominator it is."""
    found = _FRACTION_AT_END.search(text[: last.end()])
    if found is None:
        return _value(last)
    value = _ratio(int(found["above"]), int(found["below"]))
    if value is None:
        return None
    value += int(found["whole"] or 0)
    return -value if found["minus"] else value


def _ratio(above: float, below: int) -> float | None:
    return above / below if below else None


def _value(match: re.Match[str]) -> float:
    value = float(match["digits"].replace(",", ""))
    return -value if match["minus"] or match["inner"] else value
