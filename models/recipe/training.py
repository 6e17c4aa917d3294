"""A plain training loop for tiny models: like lengths together, Muon for matrices, AdamW for all else."""

import random
import sys
import time
from collections.abc import Iterator

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from recipe.lessons import IGNORED, Lesson, Row
from recipe.vocabulary import END, IDS, PAD

_BATCH_ROWS = 64
_POOL_BATCHES = 32


def new_model(layers: int, seed: int, hidden: int = 128) -> Qwen3ForCausalLM:
    """A fresh Qwen3 with tied embeddings and the demo vocabulary."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(IDS),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        intermediate_size=3 * hidden,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=IDS[PAD],
        eos_token_id=IDS[END],
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def train(
    model: Qwen3ForCausalLM,
    lesson: Lesson,
    *,
    name: str,
    steps: int,
    matrix_rate: float,
    vector_rate: float,
    seed: int,
) -> None:
    """Train in place for `steps` batches; rates warm up over 5% of the steps and then fall linearly to 0."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    vectors = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [
        torch.optim.Muon(matrices, lr=matrix_rate, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(vectors, lr=vector_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    peaks = [matrix_rate, vector_rate]
    warmup = max(1, steps // 20)
    model.train()
    # On rows this short eager attention beats the fused kernel's backward pass; compiling doubles the whole.
    model.set_attn_implementation("eager")
    forward = torch.compile(model, dynamic=True)
    started, total = time.monotonic(), 0.0
    for step, (ids_BT, labels_BT) in enumerate(_batches(lesson, steps, random.Random(seed))):
        part = min((step + 1) / warmup, (steps - step) / (steps - warmup))
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * part
        with torch.autocast("cpu", dtype=torch.bfloat16):
            # Padding stands after every real token, so causal attention needs no mask.
            logits = forward(input_ids=ids_BT, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), labels_BT[:, 1:].flatten(), ignore_index=IGNORED
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        total += float(loss.detach())
        if (step + 1) % 100 == 0 or step + 1 == steps:
            elapsed_s = time.monotonic() - started
            shown = total / (step % 100 + 1)
            print(
                f"{name}: step {step + 1}/{steps} loss {shown:.4f} {elapsed_s:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            total = 0.0
    model.set_attn_implementation("sdpa")
    model.eval()


def _batches(lesson: Lesson, steps: int, rng: random.Random) -> Iterator[tuple[torch.Tensor, ...]]:
    made = 0
    while made < steps:
        pool = sorted((lesson(rng) for _ in range(_POOL_BATCHES * _BATCH_ROWS)), key=lambda row: len(row[0]))
        groups = [pool[i : i + _BATCH_ROWS] for i in range(0, len(pool), _BATCH_ROWS)]
        rng.shuffle(groups)
        for group in groups[: steps - made]:
            yield _pad(group)
            made += 1


def _pad(rows: list[Row]) -> tuple[torch.Tensor, ...]:
    longest = max(len(ids) for ids, _ in rows)
    ids_BT = torch.full((len(rows), longest), IDS[PAD])
    labels_BT = torch.full((len(rows), longest), IGNORED)
    for index, (ids, labels) in enumerate(rows):
        ids_BT[index, : len(ids)] = torch.tensor(ids)
        labels_BT[index, : len(labels)] = torch.tensor(labels)
    return ids_BT, labels_BT
