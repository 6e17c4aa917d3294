"""The engine `cached`: samples in the trainer's own process, from its own weights.

Gradient checkpointing and the KV cache exclude each other in a model; here the model generates with its
cache on and is afterwards exactly what it was. Each distinct prompt is computed once for its whole group,
rows that have ended leave the batch, and weights lie in the compute dtype while it generates.

Left out: models whose layers are not attention over all keys or over a window (state-space layers, say), and
weights that are sharded over processes. Beams and constraints are no part of sampling rollouts.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from gavel_train.rollouts.ends import Ends
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.layer_state import LayerState, generating
from gavel_train.rollouts.next_token import NextToken
from gavel_train.rollouts.shared_prefix import IMPLEMENTATION, Prefixes, SharedPrefixCache, packed
from gavel_train.run import lifetime

_ATTENTION = {"full_attention", "sliding_attention"}
# A bucket costs some kernel launches a layer and token, padding costs attention over hidden columns.
_BUCKET_RATIO = 1.5
_BUCKET_SLACK = 16
# The share of rows that must have ended before the others are moved together.
_MOVE_AT = 1 / 8


class UnsupportedModel(ValueError):
    """A model that this engine cannot sample from; the message says why."""


class CachedEngine:
    """Samples from a model in this process; see the module for how.

    `compute_dtype` is the dtype in which the trainer computes by autocast, None without autocast. With
    `give_up_on_notice` SIGTERM ends a generation with what has ended until then.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        device: torch.device,
        compute_dtype: torch.dtype | None = None,
        give_up_on_notice: bool = False,
    ) -> None:
        refuse_unsupported(model)
        self._model = model
        self._tokenizer = tokenizer
        self._device = device
        self._compute_dtype = compute_dtype
        self._give_up_on_notice = give_up_on_notice
        self.layers: LayerState | None = None

    def restore_layers(self) -> None:
        """Give the layers their state back once more, where others have toggled it since the generation."""
        if self.layers is not None:
            self.layers.restore()

    # As a decorator this holds only while the generator runs, and not in the code that takes from it.
    @torch.no_grad()
    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling
    ) -> Generator[Completion, None, None]:
        """Yield one completion per prompt, each when it ends (see `engine.Engine`).

        Raises ValueError for a prompt without tokens.
        """
        if any(len(ids) == 0 for ids in prompts):
            raise ValueError("Expected prompts of at least one token, got an empty one.")
        if not prompts:
            return
        with generating(self._model, attention=IMPLEMENTATION, dtype=self._compute_dtype) as self.layers:
            yield from self._generate(prompts, sampling)

    def _generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling
    ) -> Generator[Completion, None, None]:
        batch = _Batch(prompts, self._device)
        cache = SharedPrefixCache(self._device, capacity=sampling.max_new_tokens)
        for bucket in batch.buckets:
            self._prefill(cache, bucket)
        cache.start(batch.prompt_of_row)
        texts = batch.prompts_of_rows()
        tokens = torch.tensor([ids[-1] for ids in texts], device=self._device)
        positions = torch.tensor([len(ids) - 1 for ids in texts], device=self._device)
        ends = Ends(sampling, self._tokenizer)
        choose: NextToken | None = None
        for step in range(sampling.max_new_tokens):
            if self._give_up_on_notice and lifetime.stop_requested():
                return
            cache.next_token()
            logits = self._forward(tokens[:, None], (positions + step)[:, None], cache)[:, -1]
            if choose is None:
                choose = NextToken(sampling, texts, logits.shape[-1], self._device)
            tokens = choose(logits)
            batch.append(tokens.tolist())
            last = step + 1 == sampling.max_new_tokens
            alive = batch.alive()
            for row, stopped in zip(alive, ends.at([batch.written[row] for row in alive]), strict=True):
                if stopped or last:
                    batch.ended[row] = True
                    yield Completion(
                        batch.index_of_row[row], batch.written[row], "stop" if stopped else "length"
                    )
            if last or all(batch.ended):
                return
            if sum(batch.ended) >= max(1, _MOVE_AT * len(batch.ended)):
                rows = batch.shrink(cache)
                tokens, positions = tokens[rows], positions[rows]
                choose.keep(rows)

    def _prefill(self, cache: SharedPrefixCache, bucket: Sequence[Sequence[int]]) -> None:
        """Compute the keys and values of prompts, without their last tokens, which the first step takes."""
        prefixes = Prefixes([len(ids) - 1 for ids in bucket], self._device)
        cache.fill(prefixes)
        if prefixes.width == 0:
            return
        ids = [[*row[:-1], *[0] * (prefixes.width + 1 - len(row))] for row in bucket]
        tokens = torch.tensor(ids, device=self._device)
        positions = torch.arange(prefixes.width, device=self._device).expand_as(tokens)
        self._forward(tokens, positions, cache)

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, cache: SharedPrefixCache
    ) -> torch.Tensor:
        """Return logits [rows, 1, vocabulary] of the last position."""
        autocast = (
            nullcontext()
            if self._compute_dtype is None
            else torch.autocast(self._device.type, dtype=self._compute_dtype)
        )
        with autocast:
            return self._model(
                input_ids=tokens,
                position_ids=positions,
                past_key_values=cache,
                rollout_cache=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits


class _Batch:
    """The rows of a generation: which prompt each continues, what it has written, whether it has ended."""

    def __init__(self, asked: Sequence[Sequence[int]], device: torch.device) -> None:
        self._device = device
        distinct = sorted({tuple(ids) for ids in asked}, key=lambda ids: (len(ids), ids))
        number = {ids: at for at, ids in enumerate(distinct)}
        self.prompts: list[tuple[int, ...]] = distinct
        self.buckets = _buckets(distinct)
        self.prompt_of_row = [number[tuple(ids)] for ids in asked]
        self.index_of_row = list(range(len(asked)))
        self.written: list[list[int]] = [[] for _ in asked]
        self.ended = [False] * len(asked)

    def prompts_of_rows(self) -> list[tuple[int, ...]]:
        return [self.prompts[prompt] for prompt in self.prompt_of_row]

    def append(self, tokens: list[int]) -> None:
        for written, ended, token in zip(self.written, self.ended, tokens, strict=True):
            if not ended:
                written.append(token)

    def alive(self) -> list[int]:
        return [row for row, ended in enumerate(self.ended) if not ended]

    def shrink(self, cache: SharedPrefixCache) -> torch.Tensor:
        """Move rows that go on into the places of rows that have ended; return where each row was."""
        alive = self.alive()
        targets, sources, places = packed(alive)
        cache.keep_rows(targets, sources, len(alive))
        for kept in ("prompt_of_row", "index_of_row", "written"):
            values = getattr(self, kept)
            setattr(self, kept, [values[row] for row in places])
        self.ended = [False] * len(places)
        self._drop_prompts(cache)
        cache.assign(self.prompt_of_row)
        return torch.tensor(places, device=self._device)

    def _drop_prompts(self, cache: SharedPrefixCache) -> None:
        """Forget the prompts that no row continues, and number the others anew."""
        used = set(self.prompt_of_row)
        if len(used) == len(self.prompts):
            return
        first = 0
        order: list[int] = []
        for prefixes in cache.prefixes:
            count = len(prefixes.lengths)
            mine = [at for at in range(count) if first + at in used]
            order += [first + at for at in prefixes.keep(mine)]
            first += count
        cache.prefixes = [prefixes for prefixes in cache.prefixes if len(prefixes.lengths) > 0]
        number = {prompt: at for at, prompt in enumerate(order)}
        self.prompts = [self.prompts[prompt] for prompt in order]
        self.prompt_of_row = [number[prompt] for prompt in self.prompt_of_row]


def _buckets(prompts: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    """Return the prompts, sorted by length, in runs of about one length."""
    buckets: list[list[tuple[int, ...]]] = []
    for ids in prompts:
        if not buckets or len(ids) > _BUCKET_RATIO * len(buckets[-1][0]) + _BUCKET_SLACK:
            buckets.append([])
        buckets[-1].append(ids)
    return buckets


def refuse_unsupported(model: Any) -> None:
    """Raise UnsupportedModel where this engine cannot sample from a model."""
    config = model.config.get_text_config()
    name = type(model).__name__
    if not getattr(model, "_supports_attention_backend", False):
        raise UnsupportedModel(f"{name} does not take attention from outside; use rollout: transformers")
    others = set(getattr(config, "layer_types", None) or ()) - _ATTENTION
    if others or getattr(config, "is_encoder_decoder", False):
        layers = ", ".join(sorted(others)) or "encoder and decoder"
        raise UnsupportedModel(
            f"{name} has layers of other kinds than attention ({layers}); use rollout: transformers"
        )
