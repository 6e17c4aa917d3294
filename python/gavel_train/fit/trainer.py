"""Memory of a GRPO trainer, one process: at its peak, a line a part.

A step has moments, and the largest counts: the rollout, the forward pass, the loss with its backward pass
through the logits, the backward pass of one layer, and its end at the embedding. What a layer saves for the
backward pass was counted from what the allocator did for Qwen3 and Llama, and what the head takes was read
in TRL's `kernels/chunked_logprob.py`; `tests/fit` holds the formulas against training on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from gavel_train.contracts import FitPart
from gavel_train.fit.activations import all_layers, checkpoints, saved_per_token
from gavel_train.fit.training import Training, count, part

# TRL computes the logits of so many tokens and so much of the vocabulary at a time.
TILE_TOKENS = 4096
TILE_VOCABULARY = 32768
# Beside a tile of logits on the CPU, in fp32. Forward: the logits over the temperature, their exponentials,
# and one temporary. Backward: scaled, over the temperature, log-probabilities, probabilities, the gradient,
# whether it is the target's (a byte each), that in fp32, and one temporary. A GPU works within the tile.
_BESIDE_FORWARD = 3
_BESIDE_BACKWARD = 7.25
# Of a rollout's last logits [rows, vocabulary]: themselves, their probabilities, and one temporary.
_SAMPLED_COPIES = 3
# Resident memory of a trainer that has imported all that it uses and has a model of no size, measured.
LIBRARIES_BYTES = 600 * 10**6
# glibc raises its threshold for mmap to the size of the largest block freed, at most 32 MiB. Smaller blocks
# then come from a heap that does not shrink, where what the optimizer keeps separates what a pass frees.
# Measured on five shapes: 0.2 to 0.54 of what a pass takes; with the threshold fixed, nothing.
MALLOC_SHARE = 0.35
# gavel_train.rollouts.shared_prefix: room for a suffix at first, doubled when it is full.
_FIRST_ROOM = 128


@dataclass(frozen=True)
class Moment:
    """The parts of memory that are there at once."""

    name: str
    parts: tuple[FitPart, ...]

    @property
    def bytes(self) -> int:
        """The sum."""
        return sum(one.bytes for one in self.parts)


def peak(training: Training) -> Moment:
    """Return the moment of a step that takes the most."""
    return max(moments(training), key=lambda moment: moment.bytes)


def moments(training: Training) -> list[Moment]:
    """Return every moment of a step that may be the peak."""
    lasting = _lasting(training)
    gradients = _gradients(training)
    several = training.rows > training.micro_batch
    update = {
        # With several passes the gradients of earlier ones are there while the next one runs.
        "forward pass": (_forward(training), several),
        "backward pass through the logits": (_loss(training), several),
        # Without checkpoints the gradient of a layer comes when its larger activations go.
        "backward pass of a layer": (_one_layer(training), several or training.checkpointing),
        "end of the backward pass": (_end(training), True),
    }
    made = [Moment("rollout", _whole(training, lasting, _rollout(training)))]
    for name, (own, with_gradients) in update.items():
        made.append(Moment(name, _whole(training, [*lasting, *(gradients if with_gradients else [])], own)))
    return made


def _whole(training: Training, lasting: list[FitPart], own: list[FitPart]) -> tuple[FitPart, ...]:
    parts = [*lasting, *own]
    if not training.on_gpu:
        kept = int(MALLOC_SHARE * sum(one.bytes for one in own))
        parts.append(part("kept by malloc", kept, f"{MALLOC_SHARE:g} of what a pass takes, measured"))
        parts.append(part("libraries", LIBRARIES_BYTES, "Python, torch, transformers, TRL; measured"))
    return tuple(_present(parts))


def _present(parts: Sequence[FitPart]) -> list[FitPart]:
    return [one for one in parts if one.bytes > 0]


def _lasting(training: Training) -> list[FitPart]:
    shape, lora, sharing = training.shape, training.lora, training.sharing
    split = training.ranks if sharing.weights else 1
    share = f", shared by {split} ranks" if split > 1 else ""
    each = 2 if training.mixed and lora is not None else 4
    parts = [
        part("weights", shape.parameters * each // split, f"{count(shape.parameters)} x {each} bytes{share}")
    ]
    trained = training.trained
    if lora is not None:
        # PEFT keeps an adapter in fp32 whatever its base has.
        parts.append(part("adapter", trained * 4, f"LoRA of rank {lora.r}: {count(trained)} x 4 bytes"))
    if training.reference and lora is None:
        parts.append(part("reference model", shape.parameters * 4, "grpo.beta > 0: a copy in fp32"))
    if not sharing.offloaded:
        split = training.ranks if sharing.optimizer else 1
        share = f", shared by {split} ranks" if split > 1 else ""
        parts.append(part("optimizer", trained * 8 // split, f"AdamW: {count(trained)} x 8 bytes{share}"))
    return parts


def _gradients(training: Training) -> list[FitPart]:
    split = training.ranks if training.sharing.gradients else 1
    share = f", shared by {split} ranks" if split > 1 else ""
    own = part("gradients", training.trained * 4 // split, f"{count(training.trained)} x 4 bytes{share}")
    if training.ranks == 1 or training.sharing.gradients:
        return [own]
    # torch's DistributedDataParallel without gradient_as_bucket_view.
    return [own, part("gradient buckets", training.trained * 4, "DDP sends a copy of them")]


def _head(training: Training) -> int:
    """Bytes of a gradient of the embedding, or of the head."""
    return 0 if training.lora is not None else training.shape.vocabulary * training.shape.hidden * 4


def _casts(training: Training) -> int:
    """Bytes of the bf16 copies that autocast makes of fp32 weights; TRL casts the head's a tile at a time."""
    in_layers = training.shape.in_linear_layers - training.shape.vocabulary * training.shape.hidden
    return 2 * in_layers if training.mixed and training.lora is None else 0


def _tile(training: Training, beside: float) -> FitPart:
    """Return the logits that are there at once, with the temporaries beside them on the CPU."""
    # A GPU scores completions alone, in a buffer of full width; the CPU touches what it writes.
    scored = training.micro_batch * training.completion_tokens if training.on_gpu else training.tokens
    tokens = min(scored, TILE_TOKENS)
    width = TILE_VOCABULARY if training.on_gpu else min(training.shape.vocabulary, TILE_VOCABULARY)
    each = (2 if training.mixed else 4) + (0 if training.on_gpu else 4 * beside)
    return part("logits", int(tokens * width * each), f"{tokens} tokens x {width} x {each:g} bytes")


def _forward(training: Training) -> list[FitPart]:
    return [
        all_layers(training),
        part("bf16 copies of weights", _casts(training), "autocast keeps them for one pass"),
        _tile(training, _BESIDE_FORWARD),
    ]


def _loss(training: Training) -> list[FitPart]:
    casts = 0 if training.checkpointing else _casts(training)
    return [
        all_layers(training),
        part("bf16 copies of weights", casts, "autocast made them, the backward pass needs them"),
        _tile(training, _BESIDE_BACKWARD),
        part("gradient of the head", _head(training), "in fp32, summed over the tiles"),
    ]


def _one_layer(training: Training) -> list[FitPart]:
    shape = training.shape
    # Gradients on their way: of gate and up, and of the residual and what feeds it.
    moving = (2 * shape.intermediate + 4 * shape.hidden) * (2 if training.mixed else 4)
    size = training.tokens * (saved_per_token(training) + moving)
    head = _head(training) if shape.tied else 0
    return [
        checkpoints(training)
        if training.checkpointing
        else all_layers(replace(training, checkpointing=False)),
        part(
            "one layer",
            size if training.checkpointing else training.tokens * moving,
            "recomputed, with gradients",
        ),
        part("gradient of the head", head, "waits for that of the embedding, which is the same weight"),
    ]


def _end(training: Training) -> list[FitPart]:
    copies = 3 if training.shape.tied else 1
    how = "the head's, the embedding's, and their sum" if training.shape.tied else "before it is added"
    return [part("gradient of the embedding", copies * _head(training), how)]


def _rollout(training: Training) -> list[FitPart]:
    if training.rollout not in ("cached", "transformers"):
        return []
    shape, each = training.shape, 2 if training.mixed else 4
    prompts = ceil(training.rows / training.num_generations)
    if training.rollout == "transformers":
        cached = training.rows * (training.prompt_tokens + training.completion_tokens)
        how = f"{training.rows} rows x {training.prompt_tokens + training.completion_tokens} tokens"
    else:
        room = _room(training.completion_tokens)
        cached = prompts * training.prompt_tokens + training.rows * room
        how = f"{prompts} prompts x {training.prompt_tokens} + {training.rows} completions x {room} tokens"
    sampled = _SAMPLED_COPIES * training.rows * shape.vocabulary * 4
    casts = training.mixed and training.lora is None and training.rollout == "cached"
    copies = 2 * shape.in_linear_layers if casts else 0
    return [
        part("KV cache", cached * shape.kv_per_token * each, f"{how} x {shape.kv_per_token * each} bytes"),
        part("bf16 copies of weights", copies, "the rollout computes with them"),
        part(
            "logits",
            sampled,
            f"{_SAMPLED_COPIES} copies of {training.rows} rows x {shape.vocabulary} x 4 bytes",
        ),
    ]


def _room(tokens: int) -> int:
    """Return the room for a suffix of `tokens`: doubled from the first one until it is enough."""
    room = min(_FIRST_ROOM, tokens)
    while room < tokens:
        room = min(2 * room, tokens)
    return room
