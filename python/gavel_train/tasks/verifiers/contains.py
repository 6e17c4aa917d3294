"""Verifier `contains`: the completion says the truth among other words.

What is read is the final part of the completion (see final_part). Case, white space, signs, articles and
the Unicode form do not count, words must be whole, and the last mention decides:

- A mention that is denied is none: "It is not Paris", "Paris isn't it", "anything but" is not known.
- A mention beside "or" or "/", in an enumeration of three or more short entries, or in a list of short
  entries is none: an answer that names all that it can think of names the truth too.
- An answer of more than `params.max_words` words (60 unless it says otherwise) says nothing: a long
  one mentions anything. Where the final part is marked, only its words count.

Not noticed: a second answer in a sentence of its own ("It is Paris. It is Lyon." has the truths Lyon and
Paris, since neither is denied), two answers joined by "and", denials without one of the known words, and
denials in other languages. `choice` is for answers whose alternatives are known. What errs on the other side:
"There is no doubt that it is Paris" counts as a denial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks.verifiers.final_part import final_part
from gavel_train.tasks.verifiers.mentions import (
    ARTICLES,
    Mention,
    clause_of,
    is_word,
    mentions_of,
    tokens_of,
    words_of,
)
from gavel_train.tasks.verifiers.verifier import Checked

MAX_WORDS = 60
# Entries of an enumeration or a list are this short; a sentence is no entry.
_ENTRY_WORDS = 3
_ENTRIES = 3
_BULLETS = frozenset("-*\u2022\u00b7\u2013\u2014")


@dataclass(frozen=True)
class Contains:
    """Looks for the truth as words of the answer; one of more than `max_words` words says nothing."""

    max_words: int = MAX_WORDS

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Look for the truth in the completion's final part."""
        assert row.ground_truth is not None
        tokens = tokens_of(final_part(completion).text)
        phrase = words_of(row.ground_truth, without=ARTICLES)
        if not phrase or sum(map(is_word, tokens)) > self.max_words:
            return Checked(0.0, None)
        found = list(mentions_of(phrase, tokens, without=ARTICLES))
        if not found:
            return Checked(0.0, None)
        said = not found[-1].denied and not _listed(tokens, found[-1])
        return Checked(1.0, " ".join(phrase)) if said else Checked(0.0, f"not {' '.join(phrase)}")

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse a truth without a word, which every answer would contain, and one that is too long."""
        words = len(words_of(truth))
        if words == 0:
            return "expected a word or a number for verifier 'contains', got signs alone"
        if words > self.max_words:
            return f"expected at most max_words = {self.max_words} words for verifier 'contains', got {words}"
        return None

    def right_answer(self, truth: str) -> str:
        """Return the truth itself."""
        return truth


def _listed(tokens: Sequence[str], mention: Mention) -> bool:
    """Whether the mention is one of several that the text offers."""
    start, end = clause_of(tokens, mention.first, mention.last)
    before, after = list(tokens[start : mention.first]), list(tokens[mention.last + 1 : end])
    if {"or", "/", "|"} & {*before, *after}:
        return True
    # The mention itself may hold commas and "and": it is one entry.
    entries = _entries([*before, "mention", *after])
    short = [len(entry) <= _ENTRY_WORDS for entry in entries]
    at = next(number for number, entry in enumerate(entries) if "mention" in entry)
    run = _run_around(short, at)
    return run >= _ENTRIES or _in_a_list(tokens, mention)


def _entries(tokens: Sequence[str]) -> list[list[str]]:
    entries: list[list[str]] = [[]]
    for token in tokens:
        if token in (",", "and", "&", "+"):
            entries.append([])
        elif is_word(token):
            entries[-1].append(token)
    return [entry for entry in entries if entry]


def _run_around(short: Sequence[bool], at: int) -> int:
    """How many short entries stand side by side, the one at `at` being the middle, the first or the last.

    The first entry of an enumeration stands in a sentence: "The capital is Paris, Rome, Oslo".
    """
    first, last = at, at
    while first > 0 and short[first - 1]:
        first -= 1
    while last + 1 < len(short) and short[last + 1]:
        last += 1
    opens = 1 if first > 0 and first < at else 0
    return last - first + 1 + opens


def _in_a_list(tokens: Sequence[str], mention: Mention) -> bool:
    """Whether the mention is an entry of a list, one a line, of short entries."""
    lines: list[list[str]] = [[]]
    own = 0
    for number, token in enumerate(tokens):
        if number == mention.first:
            own = len(lines) - 1
        if token == "\n":
            lines.append([])
        else:
            lines[-1].append(token)
    entries = [number for number, line in enumerate(lines) if _is_entry(line)]
    return own in entries and len(entries) > 1


def _is_entry(line: Sequence[str]) -> bool:
    numbered = len(line) > 1 and line[0].isdigit() and line[1] in (".", ")")
    if not line or not (numbered or line[0] in _BULLETS):
        return False
    return sum(map(is_word, line[1:])) <= _ENTRY_WORDS + 1
