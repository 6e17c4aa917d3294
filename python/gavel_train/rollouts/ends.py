"""Where a completion ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase
from transformers.generation.stopping_criteria import StopStringCriteria

from gavel_train.rollouts.engine import Sampling


class Ends:
    """Says whether a token ends the completion that it was appended to, by `stop_ids` and `stop_strings`.

    Raises ValueError for stop strings without a tokenizer.
    """

    def __init__(self, sampling: Sampling, tokenizer: PreTrainedTokenizerBase | None) -> None:
        self._ids = sampling.stop_ids
        self._strings: StopStringCriteria | None = None
        if sampling.stop_strings:
            if tokenizer is None:
                raise ValueError("Expected a tokenizer for stop strings, got none.")
            self._strings = StopStringCriteria(tokenizer, list(sampling.stop_strings))

    def at(self, written: Sequence[int]) -> bool:
        """Return whether the last token of `written` ends the completion."""
        if written[-1] in self._ids:
            return True
        if self._strings is None:
            return False
        ids: Any = torch.tensor([written])
        scores: Any = None
        return bool(self._strings(ids, scores)[0])

    def cut(self, row: list[int]) -> tuple[list[int], bool]:
        """Return a row up to the token that ends it, and whether there is one."""
        for length in range(1, len(row) + 1):
            if self.at(row[:length]):
                return row[:length], True
        return row, False
