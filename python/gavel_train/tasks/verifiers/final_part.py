"""The part of a completion that gives its answer, where the completion marks it."""

from __future__ import annotations

from typing import NamedTuple

import regex

# What a model writes before its answer. "Paris is the answer" marks nothing: the answer stands before it.
_MARK = regex.compile(
    r"####|\b(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|option|choice)\b\s*(?:is\b\s*:?|:|=)\s*",
    regex.IGNORECASE,
)
_BOX = regex.compile(r"\\boxed\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_LATEX_TEXT = regex.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_EMPHASIS = regex.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")


class FinalPart(NamedTuple):
    """What of a completion is read as its answer, and whether the completion marked it."""

    text: str
    is_marked: bool


def final_part(completion: str) -> FinalPart:
    """Return what the last `\\boxed{}` holds, else what follows the last mark, else the whole text.

    Marks are `####`, "Answer:", "the answer is", "final answer =", and the same of option and choice. What
    follows a mark ends at a blank line. Emphasis of Markdown and `\\text{}` are taken off.
    """
    boxes = _BOX.findall(completion)
    if boxes and boxes[-1].strip():
        return FinalPart(_plain(boxes[-1]), True)
    for mark in reversed(list(_MARK.finditer(completion))):
        rest = completion[mark.end() :].strip()
        if rest:
            return FinalPart(_plain(rest.split("\n\n", 1)[0]), True)
    return FinalPart(_plain(completion), False)


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", _LATEX_TEXT.sub(r"\1", text)).strip()
