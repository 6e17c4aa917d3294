"""Attention over a prefix that a group shares and a suffix of each row's own, without a copy per token.

The keys and values of a prompt are computed once and lie still; all rows of its group attend to them in one
matrix product. What a row has generated lies in a buffer that doubles when it is full. Both parts are merged
by their softmax denominators (Hydragen: Juravsky et al. 2024, arXiv 2402.05099). `transformers` keeps whole
sequences instead, one copy of the prompt a row, and concatenates all of them at every token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, Cache

from gavel_train.rollouts.attention_parts import Part, attend_part, causal, exact, merge

IMPLEMENTATION = "gavel_shared_prefix"

# Tokens of a suffix that room is made for at first; each time it is full it is doubled.
_FIRST_CAPACITY = 128
# Below every score, and far from where float32 ends.
_UNSEEN = 1e30


class Prefixes:
    """Prompts of about one length: their keys and values, and which rows attend to them."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths = torch.tensor(lengths, device=device)
        self.width = max(lengths)
        self.ragged = min(lengths) < self.width
        # Per layer [prompts, key heads, width, head size].
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        # [prompts, slots]: the row in each slot, any row where a slot is empty.
        self.grid = torch.empty(0)

    def keep(self, prompts: Sequence[int]) -> list[int]:
        """Keep these prompts alone, given in order; return which prompt lies at each place now.

        Only as many are moved as there are holes among those that stay. The memory of the others is freed
        with the batch.
        """
        targets, sources, places = packed(prompts)
        to, of = (torch.tensor(each, device=self.lengths.device) for each in (targets, sources))
        self.lengths = self.lengths[places]
        for kept in (self.keys, self.values):
            for layer, tensor in enumerate(kept):
                if targets:
                    tensor[to] = tensor[of]
                kept[layer] = tensor[: len(places)]
        return places


def packed(kept: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Return how to move `kept`, in order, into the first `len(kept)` places with the fewest moves.

    These are the places that are free, which of `kept` fill them, and which of `kept` is at each place then.
    """
    stay = set(kept)
    free = [place for place in range(len(kept)) if place not in stay]
    sources = list(kept[len(kept) - len(free) :])
    moved = dict(zip(free, sources, strict=True))
    return free, sources, [moved.get(place, place) for place in range(len(kept))]


class SharedPrefixCache(Cache):
    """Keys and values of a batch of groups while it generates; a `Cache` to the model's layers."""

    def __init__(self, device: torch.device, capacity: int) -> None:
        super().__init__(layers=[])
        self._device = device
        self._capacity = capacity
        self.prefixes: list[Prefixes] = []
        self._filling: Prefixes | None = None
        # Per layer [rows at that time, key heads, room, head size].
        self._suffix_keys: list[Tensor] = []
        self._suffix_values: list[Tensor] = []
        self.rows = 0
        self.written = 0
        # [rows]: the cell of each row in the grids laid end to end.
        self._cell_of_row = torch.empty(0)
        self._masks: dict[tuple[int, int | None], Tensor | None] = {}

    def fill(self, prefixes: Prefixes) -> None:
        """Take what the model computes next as these prompts."""
        self.prefixes.append(prefixes)
        self._filling = prefixes

    @property
    def filling(self) -> bool:
        """Whether what the model computes now is prompts."""
        return self._filling is not None

    def start(self, prompt_of_row: Sequence[int]) -> None:
        """End the prompts; `prompt_of_row` counts the prompts through all `prefixes`."""
        self._filling = None
        self.rows = len(prompt_of_row)
        self.assign(prompt_of_row)

    def assign(self, prompt_of_row: Sequence[int]) -> None:
        """Lay out which rows attend to which prompt."""
        members: list[list[int]] = [[] for _ in range(sum(len(each.lengths) for each in self.prefixes))]
        for row, prompt in enumerate(prompt_of_row):
            members[prompt].append(row)
        cells = [0] * len(prompt_of_row)
        first = at = 0
        for each in self.prefixes:
            mine = members[first : first + len(each.lengths)]
            first += len(each.lengths)
            slots = max(len(rows) for rows in mine)
            for rows in mine:
                for slot, row in enumerate(rows):
                    cells[row] = at + slot
                at += slots
            grid = [rows + [rows[0]] * (slots - len(rows)) for rows in mine]
            each.grid = torch.tensor(grid, device=self._device)
        self._cell_of_row = torch.tensor(cells, device=self._device)
        self._masks.clear()

    def keep_rows(self, targets: Sequence[int], sources: Sequence[int], rows: int) -> None:
        """Shrink to the first `rows` rows after moving `sources` onto `targets`, rows that have ended."""
        if targets:
            to = torch.tensor(targets, device=self._device)
            of = torch.tensor(sources, device=self._device)
            for buffer in (*self._suffix_keys, *self._suffix_values):
                buffer[to, :, : self.written] = buffer[of, :, : self.written]
        self.rows = rows

    def next_token(self) -> None:
        """Make room for one more token of every row."""
        self.written += 1
        self._masks.clear()

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take the keys and values of a layer; return those of the suffix, or of prompts that are filled."""
        if self._filling is not None:
            # Laid out anew once, so that no later token has to.
            self._filling.keys.append(key_states.contiguous())
            self._filling.values.append(value_states.contiguous())
            return key_states, value_states
        return (
            self._append(self._suffix_keys, layer_idx, key_states),
            self._append(self._suffix_values, layer_idx, value_states),
        )

    def _append(self, buffers: list[Tensor], layer: int, states: Tensor) -> Tensor:
        """Write the newest token of each row; return all of the suffix, [rows, key heads, written, size]."""
        rows, heads, _, size = states.shape
        at = self.written - 1
        if layer == len(buffers):
            buffers.append(states.new_empty(rows, heads, min(_FIRST_CAPACITY, self._capacity), size))
        elif at == buffers[layer].shape[2]:
            larger = states.new_empty(rows, heads, min(2 * at, self._capacity), size)
            larger[:, :, :at] = buffers[layer][:rows]
            buffers[layer] = larger
        buffers[layer][:rows, :, at : at + 1] = states
        return buffers[layer][:rows, :, : self.written]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return how many tokens of a suffix lie here: positions are always given."""
        return self.written

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Return the length of keys and their offset, which this attention makes no mask of."""
        return query_length, 0

    def attend(
        self,
        layer: int,
        query: Tensor,
        keys: Tensor,
        values: Tensor,
        window: int | None,
        softcap: float | None,
    ) -> Tensor:
        """Return [rows, 1, heads, head size]; `query` is scaled, [rows, heads, 1, head size]."""
        rows, heads, _, size = query.shape
        key_heads = keys.shape[1]
        # Heads that share a key head are rows of one product with it.
        queries = query.reshape(rows, key_heads, heads // key_heads, size)
        if window is not None:
            keys, values = keys[:, :, -window:], values[:, :, -window:]
        own = attend_part(queries.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1), None, softcap)
        suffix = own.each(lambda x: x.view(rows, key_heads, -1, x.shape[-1]))
        cells = [
            self._prefix(number, layer, queries, window, softcap) for number in range(len(self.prefixes))
        ]
        joined = cells[0] if len(cells) == 1 else Part(*map(torch.cat, zip(*cells, strict=True)))
        prefix = joined.each(lambda x: x[self._cell_of_row])
        return merge(prefix, suffix).to(query.dtype).view(rows, 1, heads, size)

    def _prefix(
        self, number: int, layer: int, queries: Tensor, window: int | None, softcap: float | None
    ) -> Part:
        """Return the attention of all slots of a bucket to its prompts, [cells, key heads, share, size]."""
        bucket = self.prefixes[number]
        prompts, slots = bucket.grid.shape
        _, key_heads, share, size = queries.shape
        if bucket.width == 0:
            nothing = queries.new_zeros(prompts * slots, key_heads, share, 1, dtype=exact(queries.dtype))
            return Part(nothing.expand(-1, -1, -1, size), nothing - _UNSEEN, nothing)
        part = attend_part(
            queries[bucket.grid].transpose(1, 2).reshape(prompts * key_heads, slots * share, size),
            bucket.keys[layer].flatten(0, 1),
            bucket.values[layer].flatten(0, 1),
            self._mask(number, window, key_heads, queries.dtype),
            softcap,
        )
        return part.each(lambda x: x.view(prompts, key_heads, slots, share, -1).transpose(1, 2).flatten(0, 1))

    def _mask(self, number: int, window: int | None, key_heads: int, dtype: torch.dtype) -> Tensor | None:
        """Return what to add to scores, [prompts * key heads, 1, width]; None where every key counts."""
        each = self.prefixes[number]
        reach = None if window is None or each.width + self.written <= window else window
        if not each.ragged and reach is None:
            return None
        if (number, reach) not in self._masks:
            at = torch.arange(each.width, device=self._device)
            lengths = each.lengths[:, None]
            hidden = at >= lengths
            if reach is not None:
                # The token that asks is at position `lengths + written - 1`.
                hidden |= at <= lengths + (self.written - 1) - reach
            mask = torch.zeros(hidden.shape, dtype=dtype, device=self._device)
            mask.masked_fill_(hidden, torch.finfo(dtype).min)
            self._masks[number, reach] = mask.repeat_interleave(key_heads, dim=0)[:, None]
        return self._masks[number, reach]


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    rollout_cache: SharedPrefixCache,
    **_: Any,
) -> tuple[Tensor, None]:
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if rollout_cache.filling:
        return causal(query, key, value, scale, sliding_window, softcap).transpose(1, 2), None
    layer: Any = module.layer_idx
    return rollout_cache.attend(layer, query * scale, key, value, sliding_window, softcap), None


AttentionInterface.register(IMPLEMENTATION, _attention)
