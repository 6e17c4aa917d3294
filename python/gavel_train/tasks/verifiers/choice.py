"""Verifier `choice`: the completion names one of the labels, and it is the truth.

Labels are `params.choices`, or each row's own in the field that `params.choices_field` names: a list, or an
object of labels and what they stand for ({"A": "Paris", "B": "Lyon"}), whose texts name the label as well.
What is read is the final part of the completion (see final_part). Case, white space, signs and the Unicode
form do not count, and words must be whole; where one label holds another ("New York City", "New York"), the
longer one was named.

An answer that names two different labels is wrong, and so is one that names none. A denied label ("not B")
is not named. A label of one letter counts where it stands as one: alone, beside a sign, first
after a mark, before "or", "because" and the like, or after "is", "option" and the like, so that the article
in "Look for a capital" names no A.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks.verifiers.final_part import FinalPart, final_part
from gavel_train.tasks.verifiers.mentions import is_word, mentions_of, tokens_of, words_of
from gavel_train.tasks.verifiers.verifier import Checked

# After one of these a single letter is a label; elsewhere "a" is an article and "I" a pronoun.
_ANNOUNCES = frozenset("is be option choice answer label letter pick choose select".split())  # noqa: SIM905
# No article and no pronoun stands before these.
_FOLLOWS = frozenset(("or", "and", "is", "because", "since", "as"))
_WORDS_OF_ONE_LETTER = frozenset("ai")

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Choice:
    """Reads one of the labels; `choices` is None where each row has its own in the field `choices_field`."""

    choices: Labels | None
    choices_field: str | None

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the one label that the completion names with the truth."""
        assert row.ground_truth is not None
        labels = self._labels(row.meta)
        if labels is None:
            return Checked(0.0, None)
        named = named_labels(final_part(completion), labels)
        right = len(named) == 1 and named[0] == _label_of(row.ground_truth, labels)
        return Checked(1.0 if right else 0.0, " and ".join(named) if named else None)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse a row without labels of its own, and a truth that is none of the labels."""
        labels = self._labels(fields)
        if labels is None:
            return f"expected the row's labels in field {self.choices_field!r}, a list or an object of texts"
        if _label_of(truth, labels) is None:
            return f"expected one of the {len(labels)} labels for verifier 'choice', got other text"
        return None

    def right_answer(self, truth: str) -> str:
        """Return the truth itself."""
        return truth

    def _labels(self, fields: Mapping[str, Any]) -> Labels | None:
        if self.choices is not None:
            return self.choices
        assert self.choices_field is not None
        return labels_of(fields.get(self.choices_field))


def labels_of(given: Any) -> Labels | None:
    """Return the texts that name each label; None where these are not two labels or more that differ."""
    texts = given if isinstance(given, dict) else {label: label for label in given} if _texts(given) else {}
    if not all(_texts([label, text]) for label, text in texts.items()):
        return None
    named = {label: tuple(dict.fromkeys((label, text))) for label, text in texts.items()}
    words = [tuple(words_of(text)) for texts in named.values() for text in texts]
    distinct = len(set(words)) == len(words) and all(words)
    return named if len(named) > 1 and distinct and len(named) == len(given) else None


def named_labels(part: FinalPart, labels: Labels) -> list[str]:
    """Return the labels that an answer names and does not deny, in the order in which they first occur."""
    tokens = tokens_of(part.text)
    every = [(label, words_of(words)) for label, texts in labels.items() for words in texts]
    own_words = {word for _, words in every for word in words}
    mentions = sorted(
        (mention.first, mention.last, mention.denied, label)
        for label, words in every
        for mention in mentions_of(words, tokens, not_denials=own_words)
        if len(words[0]) > 1 or len(words) > 1 or _stands_as_label(tokens, mention.first, part.is_marked)
    )
    found = [
        (first, label)
        for first, last, denied, label in mentions
        if not denied and not any(_holds(other, (first, last)) for other in mentions)
    ]
    return list(dict.fromkeys(label for _, label in sorted(found)))


def _holds(other: tuple[int, int, bool, str], place: tuple[int, int]) -> bool:
    """Whether another mention stands around the one at this place."""
    first, last = place
    return other[0] <= first and last <= other[1] and (other[0], other[1]) != place


def _stands_as_label(tokens: Sequence[str], at: int, is_marked: bool) -> bool:
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after is None or not is_word(after) or after in _FOLLOWS:
        # "(A)", "A.", "A, because", "A" at the end, "A or B".
        return True
    if at == 0:
        return is_marked or tokens[at] not in _WORDS_OF_ONE_LETTER
    return tokens[at - 1] in _ANNOUNCES or not is_word(tokens[at - 1])


def _label_of(truth: str, labels: Labels) -> str | None:
    wanted = words_of(truth)
    return next(
        (label for label, texts in labels.items() for text in texts if words_of(text) == wanted), None
    )


def _texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(text, str) and text.strip() for text in given)
