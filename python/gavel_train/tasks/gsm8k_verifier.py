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


def verify(completion: str, ground_truth: str, reading: Reading = "strict") -> bool:
    """Say whether the completion's answer equals the ground truth as a number; 1,234 and 1234.0 are equal."""
    answer, truth = answer_in(completion, reading), _number_of(_plain(ground_truth))
    truth = answer_in(ground_truth, "lenient") if truth is None else truth
    return answer is not None and truth is not None and abs(answer - truth) < 1e-6


def answer_in(text: str, reading: Reading) -> float | None:
    """Return the number that a text gives as its answer, or None."""
    text = _plain(text)
    for content in reversed(_marked(text)):
        answer = _number_of(content)
        if answer is not None or reading == "strict":
            return answer
    if reading == "strict":
        return None
    numbers = list(_NUMBER.finditer(text))
    return _value(numbers[-1]) if numbers else None


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
    """The number of a marked answer: after its last "=", a fraction as such, None for an open expression."""
    content = _ORNAMENT.sub("", _FRACTION.sub(r"\1/\2", content)).rpartition("=")[2].strip()
    content = re.sub(r"^-\s+", "-", content)
    found = _NUMBER.search(content)
    if found is None:
        return None
    value, end = _value(found), found.end()
    if mixed := _MIXED.match(content, end):
        part = _ratio(int(mixed[1]), int(mixed[2]))
        value, end = (value + (-part if value < 0 else part), mixed.end()) if part is not None else (None, 0)
    elif fraction := _DENOMINATOR.match(content, end):
        value, end = _ratio(value, int(fraction[1])), fraction.end()
    return None if _GOES_ON.match(content, end) else value


def _ratio(above: float, below: int) -> float | None:
    return above / below if below else None


def _value(match: re.Match[str]) -> float:
    value = float(match["digits"].replace(",", ""))
    return -value if match["minus"] or match["inner"] else value
