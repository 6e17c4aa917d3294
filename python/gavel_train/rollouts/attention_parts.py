"""Attention to a part of the keys, and what joins two parts: plain functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Part(NamedTuple):
    """Attention to a part of the keys, before it is normalized: [..., head size], and [..., 1] twice."""

    weighted: Tensor
    largest: Tensor
    total: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Part:
        """Return the part with each of its tensors changed."""
        return Part(*map(change, self))


def attend_part(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, softcap: float | None
) -> Part:
    """Return the attention of scaled `query` [batch, rows, size] to `keys` and `values` [batch, keys, size].

    `mask` is added to the scores; `softcap` bounds them as Gemma 2 does.
    """
    scores = torch.bmm(query, keys.transpose(1, 2))
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if mask is not None:
        scores = scores + mask
    scores = scores.to(exact(scores.dtype))
    largest = scores.amax(dim=-1, keepdim=True)
    weights = (scores - largest).exp_()
    return Part(torch.bmm(weights.to(values.dtype), values), largest, weights.sum(dim=-1, keepdim=True))


def exact(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of sums of exponentials: that of transformers' attention, or better."""
    return torch.promote_types(dtype, torch.float32)


def merge(one: Part, other: Part) -> Tensor:
    """Return the attention to both parts together, normalized."""
    largest = torch.maximum(one.largest, other.largest)
    first, second = (one.largest - largest).exp_(), (other.largest - largest).exp_()
    weighted = one.weighted * first + other.weighted * second
    return weighted / (one.total * first + other.total * second)


def causal(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None, softcap: float | None
) -> Tensor:
    """Return attention of prompts to themselves; no token sees their padding, which is on the right."""
    length = query.shape[2]
    grouped = query.shape[1] != key.shape[1]
    attend = torch.nn.functional.scaled_dot_product_attention
    if softcap is None and (window is None or length <= window):
        return attend(query, key, value, is_causal=True, scale=scaling, enable_gqa=grouped)
    at = torch.arange(length, device=query.device)
    visible = at[None] <= at[:, None]
    if window is not None:
        visible &= at[None] > at[:, None] - window
    if softcap is None:
        return attend(query, key, value, attn_mask=visible, scale=scaling, enable_gqa=grouped)
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    scores = torch.tanh(query @ key.transpose(2, 3) * (scaling / softcap)) * softcap
    scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value
