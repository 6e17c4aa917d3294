"""Draws next tokens from logits; the filters are those of transformers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from gavel_train.rollouts.engine import Sampling

_BLOCK = 128
# The product of a uniform number below 1 and a total can round up to the total itself.
_BELOW = 1.0 - 2.0**-40


class NextToken:
    """Turns logits into tokens, row by row; keeps what the repetition penalty has to know of each row."""

    def __init__(
        self, sampling: Sampling, texts: Sequence[Sequence[int]], vocabulary: int, device: torch.device
    ) -> None:
        self._greedy = sampling.temperature == 0
        self._penalty = sampling.repetition_penalty
        self._filters = LogitsProcessorList()
        if not self._greedy:
            # The order of transformers' generate.
            if sampling.temperature != 1:
                self._filters.append(TemperatureLogitsWarper(sampling.temperature))
            if sampling.top_k > 0:
                self._filters.append(TopKLogitsWarper(sampling.top_k))
            if sampling.top_p < 1:
                self._filters.append(TopPLogitsWarper(sampling.top_p))
            if sampling.min_p > 0:
                self._filters.append(MinPLogitsWarper(sampling.min_p))
        self._seen: Tensor | None = None
        if self._penalty != 1:
            self._seen = torch.zeros(len(texts), vocabulary, dtype=torch.bool, device=device)
            for row, ids in enumerate(texts):
                self._seen[row, list(ids)] = True

    def __call__(self, logits: Tensor) -> Tensor:
        """Return one token a row; `logits` is [rows, vocabulary]."""
        scores = logits.float()
        if self._seen is not None:
            penalized = torch.where(scores < 0, scores * self._penalty, scores / self._penalty)
            scores = torch.where(self._seen, penalized, scores)
        if self._greedy:
            tokens = scores.argmax(dim=-1)
        else:
            # None of these filters looks at the text so far.
            scores = self._filters(None, scores)  # pyright: ignore[reportArgumentType]
            tokens = draw(scores.softmax(dim=-1))
        if self._seen is not None:
            self._seen.scatter_(1, tokens[:, None], True)
        return tokens

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone, in this order."""
        if self._seen is not None:
            self._seen = self._seen[rows]


def draw(probabilities: Tensor) -> Tensor:
    """Draw one index a row of [rows, vocabulary] by inverting the cumulative distribution.

    The sum runs in float64, over blocks first and then inside the block that was hit: torch.multinomial
    draws one exponential number per row and token, which at 64 rows of 49,152 tokens takes longer than the
    forward pass of a small model.
    """
    rows, vocabulary = probabilities.shape
    blocks = torch.nn.functional.pad(probabilities, (0, -vocabulary % _BLOCK)).view(rows, -1, _BLOCK)
    sums = blocks.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    uniform = torch.rand(rows, 1, dtype=torch.float64, device=probabilities.device)
    point = uniform * _BELOW * sums[:, -1:]
    block = torch.searchsorted(sums, point, right=True)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks[torch.arange(rows, device=block.device), block[:, 0]].double().cumsum(dim=-1)
    # The two sums of a block may differ in their last bits.
    rest = torch.minimum(point - before, inside[:, -1:] * _BELOW)
    return (block * _BLOCK + torch.searchsorted(inside, rest, right=True))[:, 0]
