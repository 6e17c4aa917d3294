"""Verifier `regex`: the pattern of `params.pattern` says what of a completion is its answer.

Its last match counts: the group named `answer`, else the only group, else the whole match. What it holds is
compared with the truth as `exact` does, case and white space aside unless `params.ignore` says otherwise.
Patterns are those of the package `regex`, which knows all of Python's.

A pattern may need time that grows exponentially with the text. Three guards: the last 20,000 characters of
a completion are searched and no more, a search ends after two seconds of the processor, and a pattern that is
that slow on any of some texts made to provoke it is refused before a run starts. A completion whose search
does not end in time is wrong, and the process's log says so.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from gavel_train.contracts import PromptRow
from gavel_train.tasks.verifiers.evened import Ignore, evened
from gavel_train.tasks.verifiers.phrasings import phrasings
from gavel_train.tasks.verifiers.verifier import Checked

# Answers stand at the end; longer completions are those that went astray.
_SEARCHED_CHARS = 20_000
# A pattern without the exponential case needs milliseconds for that much text.
# regex counts the processor time of all threads, so that others which compute must not use it up.
_TIMEOUT_S = 2
_PATTERN_CHARS = 1_000
_NAMED = "answer"


@dataclass(frozen=True)
class Regex:
    """Compares what a pattern matches last with the truth."""

    pattern: regex.Pattern[str]
    ignore: frozenset[Ignore]

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the last match in the completion with the truth."""
        assert row.ground_truth is not None
        try:
            found = self._last(completion)
        except TimeoutError:
            # By its length alone: the log of a process may be read by those who may not read completions.
            print(
                f"verifier regex: the search took longer than {_TIMEOUT_S} s in a completion of "
                f"{len(completion)} characters (row {row.id}); it counts as wrong",
                file=sys.stderr,
            )
            return Checked(0.0, None)
        if found is None:
            return Checked(0.0, None)
        right = evened(found, self.ignore) == evened(row.ground_truth, self.ignore)
        return Checked(1.0 if right else 0.0, found)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse a truth of which nothing is left."""
        return None if evened(truth, self.ignore) else "expected text, of which more than `ignore` is left"

    def right_answer(self, truth: str) -> str:
        """Return the first of some ways to give the truth in which the pattern finds it, else the truth."""
        ways = [truth, *phrasings(truth)]
        return next((way for way in ways if self._finds(way, truth)), truth)

    def _finds(self, completion: str, truth: str) -> bool:
        found = self._last(completion)
        return found is not None and evened(found, self.ignore) == evened(truth, self.ignore)

    def _last(self, completion: str) -> str | None:
        matches = self.pattern.finditer(completion[-_SEARCHED_CHARS:], timeout=_TIMEOUT_S)
        last = next(iter(deque(matches, maxlen=1)), None)
        if last is None:
            return None
        group = _NAMED if _NAMED in self.pattern.groupindex else min(self.pattern.groups, 1)
        return last[group]


def compiled(pattern: Any) -> regex.Pattern[str]:
    """Compile the pattern of a spec; raises ValueError naming the param and what is wrong with it."""
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(f"Expected param 'pattern' to be a regular expression, got {pattern!r}")
    if len(pattern) > _PATTERN_CHARS:
        raise ValueError(
            f"Expected param 'pattern' to have at most {_PATTERN_CHARS} characters, got {len(pattern)}"
        )
    try:
        made = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(
            f"Expected param 'pattern' to be a regular expression, got {pattern!r}: {error}"
        ) from None
    if made.groups > 1 and _NAMED not in made.groupindex:
        raise ValueError(
            f"Expected param 'pattern' to have one group, or one named (?P<{_NAMED}>...), got {made.groups} "
            "groups"
        )
    # Of a tenth of what is searched: a pattern whose time is quadratic passes, an exponential one does not.
    for text in _provoking(pattern):
        try:
            deque(made.finditer(text, timeout=_TIMEOUT_S), maxlen=0)
        except TimeoutError:
            raise ValueError(
                f"Expected param 'pattern' to be searched for in {len(text)} characters within "
                f"{_TIMEOUT_S} s, got one that takes longer: {pattern!r}. Nested repetitions like (a+)+ do"
            ) from None
    return made


def _provoking(pattern: str) -> Iterator[str]:
    """Texts on which slow patterns are slow: runs of what the pattern itself is made of, without an end."""
    runs = {
        *(character for character in pattern if not character.isspace()),
        "a",
        "0",
        " ",
        "\n",
        "ab",
        "1 ",
        "a,",
    }
    for run in sorted(runs):
        yield run * (_SEARCHED_CHARS // len(run) // 10) + "\0"
