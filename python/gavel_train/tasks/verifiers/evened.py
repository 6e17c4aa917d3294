"""Text without the differences that do not count in a comparison."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Literal, get_args

import regex

Ignore = Literal["case", "spaces", "punctuation", "articles"]
IGNORABLE: tuple[Ignore, ...] = get_args(Ignore)

_ARTICLES = regex.compile(r"\b(?:a|an|the)\b", regex.IGNORECASE)
_PUNCTUATION = regex.compile(r"[^\w\s]|_")


def evened(text: str, ignore: Collection[Ignore] = ()) -> str:
    """Return a text in one Unicode form, without white space at its ends and without what `ignore` names.

    case          upper and lower case are the same, also where that takes more than one letter (ß, ss)
    spaces        any run of white space is one space; full-width and other compatibility forms are plain
    punctuation   a sign that is no letter, digit or mark is a space
    articles      English a, an and the are left out, unless nothing else is there
    """
    form = "NFKC" if "spaces" in ignore else "NFC"
    text = unicodedata.normalize(form, text)
    if "case" in ignore:
        # Folding may take a letter apart.
        text = unicodedata.normalize(form, text.casefold())
    if "punctuation" in ignore:
        text = _PUNCTUATION.sub(" ", text)
    if "articles" in ignore:
        without = _ARTICLES.sub(" ", text)
        text = without if without.strip() else text
    if {"spaces", "punctuation", "articles"} & set(ignore):
        text = " ".join(text.split())
    return text.strip()
