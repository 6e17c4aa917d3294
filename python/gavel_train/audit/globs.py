"""Globs in the ids and slices of gates."""

import re

# In `.headline.` of a gate's id; stands for the headline mode of the audit.
HEADLINE = "headline"


def resolved_id(glob: str, headline_mode: str) -> str:
    """The id of a gate with the headline mode in place of `headline`."""
    return glob.replace(f".{HEADLINE}.", f".{headline_mode}.")


def is_match(glob: str, text: str) -> bool:
    """Whether a text matches a glob, in which * stands for any text and nothing else is special."""
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text, re.DOTALL) is not None
