"""Where a text mentions a phrase, and whether it says so or denies it.

Rules of English word order over words and signs; no model, and no understanding. Other languages have
mentions, but no denials.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex

# Scripts without spaces: each letter is a word of its own.
_SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_TOKEN = regex.compile(
    rf"\n|{_SPACELESS}|\d+(?:[.,]\d+)*|(?:(?!{_SPACELESS})\w)+(?:'(?:(?!{_SPACELESS})\w)+)*|\S"
)
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u00b4`", "'''''")

ARTICLES = frozenset({"a", "an", "the"})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DENIES = _words(
    "not no never nor neither cannot cant isnt wasnt arent without except excluding unlike hardly"
)
_WRONG = _words("wrong incorrect false untrue")
_AUXILIARIES = _words(
    "is was are were be been being am do does did has had have can could would should will may might must "
    "definitely certainly surely clearly probably actually also simply just"
)
_ENDS = frozenset(".!?;:\n\u3002")
_TURNS = _words("but however though although yet")
_SUBJECTS = _words("it it's its that that's this he he's she she's they they're we i i'm i'd i'll")
# A clause of denial in front of a noun: "instead of Paris".
_DENYING_PAIRS = (("instead", "of"), ("rather", "than"), ("other", "than"))


@dataclass(frozen=True)
class Mention:
    """Where a phrase stands in `tokens`: the first and the last of them, and whether the text denies it."""

    first: int
    last: int
    denied: bool


def tokens_of(text: str) -> list[str]:
    """Split a text into words, numbers, line ends and signs; case and compatibility forms are evened out."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES))


def is_word(token: str) -> bool:
    """Whether a token is a word or a number."""
    return token[0].isalnum() or unicodedata.category(token[0])[0] in "LNM"


def words_of(text: str, without: Collection[str] = ()) -> list[str]:
    """Return the words and numbers of a text, without some of them unless nothing else is there."""
    words = [token for token in tokens_of(text) if is_word(token)]
    return [word for word in words if word not in without] or words


def mentions_of(
    phrase: Sequence[str],
    tokens: Sequence[str],
    without: Collection[str] = (),
    not_denials: Collection[str] = (),
) -> Iterator[Mention]:
    """Yield the mentions of a phrase as whole words, signs and the words `without` between them left out.

    `not_denials` are words that do not deny here, say the label "no".
    """
    places = [
        at for at, token in enumerate(tokens) if is_word(token) and (token not in without or token in phrase)
    ]
    for start in range(len(places) - len(phrase) + 1):
        at = places[start : start + len(phrase)]
        if all(tokens[place] == word for place, word in zip(at, phrase, strict=True)):
            denied = _denied(tokens, at[0], at[-1], frozenset(not_denials))
            yield Mention(at[0], at[-1], denied)


def clause_of(tokens: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """Return the bounds, the end exclusive, of the clause around the tokens from `first` to `last`.

    A clause ends at . ! ? ; : and line ends, before "but" and the like, and at a comma before a pronoun:
    "It is not Lyon, it is Paris" has two.
    """
    start, end = first, last + 1
    while start > 0 and not _splits(tokens, start - 1):
        start -= 1
    while end < len(tokens) and not _splits(tokens, end):
        end += 1
    return start, end


def _splits(tokens: Sequence[str], at: int) -> bool:
    token = tokens[at]
    if token == ",":
        return at + 1 < len(tokens) and tokens[at + 1] in _SUBJECTS
    return token in _ENDS or token in _TURNS


def _denied(tokens: Sequence[str], first: int, last: int, not_denials: frozenset[str]) -> bool:
    start, end = clause_of(tokens, first, last)
    before = tokens[start:first]
    if any(_denies(word) and word not in not_denials for word in before):
        return True
    if any(pair in _DENYING_PAIRS for pair in pairwise(before)):
        return True
    return _denied_after([token for token in tokens[last + 1 : end] if token not in ARTICLES])


def _denied_after(after: Sequence[str]) -> bool:
    """Whether a verb of denial follows: "Paris is not", "Paris isn't", "Paris would be wrong"."""
    for number, token in enumerate(after):
        if token.endswith("n't") or token in ("cannot", "isnt", "wasnt"):
            return True
        if number > 0 and (token in _DENIES or token in _WRONG):
            return True
        if token not in _AUXILIARIES:
            return False
    return False


def _denies(token: str) -> bool:
    return token in _DENIES or token in _WRONG or token.endswith("n't")
