"""What the phases of a GRPO step compute and move, from a model's shape and the lengths of its texts.

Counts are of one device: of one rank of the trainer, of one server.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gavel_train.fit.roofline import Work
from gavel_train.fit.shape import Shape
from gavel_train.fit.training import Training

# What PyTorch launches and moves; tests/fit holds the formulas to what it counts of transformers, PEFT and
# TRL. Kernels of a layer's forward pass; of an adapter on one linear layer; of
# rollouts.shared_prefix instead of one fused attention; and around the layers, of a token and of a pass.
_LAYER_KERNELS = 48
_ADAPTER_KERNELS = 4
_SHARED_PREFIX_KERNELS = 35
_TOKEN_KERNELS, _PASS_KERNELS = 50, 30
# The backward pass launches and moves as much as two forward passes.
_BACKWARD = 2
# Passes over the logits, which TRL computes in tiles, besides the products (trl/kernels/chunked_logprob.py).
# On the CPU, in fp32: scaled, over the temperature, exponentials, their sums and entropies; and scaled again,
# probabilities and gradients. A GPU's kernels read a tile, and read and write it.
_LOGITS_FORWARD, _LOGITS_BACKWARD = 14, 26
_LOGITS_FORWARD_ON_GPU, _LOGITS_BACKWARD_ON_GPU = 1, 2
# Of a last token's logits: softmax, and the sums in float64 that the draw inverts.
_DRAW_PASSES = 15
# Scores of attention in parts: the product, the largest, the exponential, their sum, the other product;
# and passes over the queries that join two parts.
_SCORE_PASSES, _JOIN_PASSES = 6, 30
# Passes over the outputs of an adapter's linear layers: scaled, and added.
_ADAPTER_PASSES = 4
# Of AdamW and of clipping, over each parameter and for each tensor.
_OPTIMIZER_PASSES, _OPTIMIZER_KERNELS = 32, 15


@dataclass(frozen=True)
class Texts:
    """Texts that one device samples in a step; `tokens` is the mean length of a completion."""

    prompts: int
    rows: int
    prompt_tokens: int
    tokens: float
    longest: int


def moved_per_token(shape: Shape, each: int) -> int:
    """Return the bytes that one layer moves for one token besides weights and keys.

    What a backward pass would keep (see `activations.saved_per_token`) is written once and read twice.
    """
    normed = 2 * (shape.queries + shape.keys) if shape.normed_heads else 0
    return 3 * each * (6 * shape.hidden + 4 * shape.queries + normed + 4 * shape.intermediate)


def adapter_moved(shape: Shape, each: int, adapter: int) -> int:
    """Return the bytes that an adapter moves for one token, all layers; 0 without one."""
    return _ADAPTER_PASSES * each * sum(one.outputs for one in shape.linear) if adapter else 0


def linear_parameters(shape: Shape) -> int:
    """Return the parameters of the layers' linear weights; the head is none of them."""
    return sum(one.outputs * one.inputs for one in shape.linear)


def head_parameters(shape: Shape) -> int:
    """Return the parameters of the language model's head."""
    return shape.vocabulary * shape.hidden


def update(training: Training) -> list[Work]:
    """Return the forward and backward passes of a rank's share, and its optimizer step.

    Every row is padded to the longest prompt and completion of the step. A linear layer's backward pass costs
    two forward passes where it is trained, one where only an adapter is; gradient checkpointing repeats the
    forward pass of the layers.
    """
    shape = training.shape
    each = 2 if training.mixed else 4
    passes = ceil(training.rows / training.micro_batch)
    width = training.prompt_tokens + training.completion_tokens
    tokens = training.rows * width
    adapter = training.trained if training.lora is not None else 0
    again = 1 if training.checkpointing else 0
    extra = _scoring_passes(training)
    linear, head = linear_parameters(shape), head_parameters(shape)
    back = 1 if training.lora is not None else 2
    # Recomputing a layer ends with the last tensor that was saved: a trained layer's last product is not
    # repeated.
    saved = again * shape.layers * shape.intermediate * shape.hidden if not adapter else 0
    layers = 1 + again + back + extra
    adapters = 1 + again + 2 + extra
    touched = 1 + again + _BACKWARD + extra
    # Without the kernels of a GPU, TRL scores prompts too.
    scored = training.rows * (training.completion_tokens if training.on_gpu else width - 1)
    launched = touched * (shape.layers * _LAYER_KERNELS + _PASS_KERNELS)
    if adapter:
        # Weights beside an adapter launch no gradients of their own.
        launched += (touched - 1) * _ADAPTER_KERNELS * len(shape.linear)
    moved = tokens * (shape.layers * moved_per_token(shape, each) + adapter_moved(shape, each, adapter))
    return [
        Work(
            "linear layers",
            2 * tokens * (layers * linear - saved + adapters * adapter),
            touched * passes * linear * each,
            passes * launched,
        ),
        Work(
            "attention",
            4 * shape.queries * shape.layers * tokens * width * (1 + again + 2.5 + extra),
        ),
        Work("layers' tensors", 0, moved * touched),
        # The backward pass computes each tile of the logits again.
        Work("head", 2 * scored * head * (2 + back + extra), touched * passes * head * each),
        Work("logits", 0, scored * shape.vocabulary * _moved_of_logits(training, extra)),
        optimizer(training),
    ]


def _moved_of_logits(training: Training, extra: int) -> int:
    """Return the bytes that are moved of each logit; `extra` passes have no backward pass."""
    if training.on_gpu:
        each = 2 if training.mixed else 4
        return each * (_LOGITS_FORWARD_ON_GPU * (1 + extra) + _LOGITS_BACKWARD_ON_GPU)
    return 4 * (_LOGITS_FORWARD * (1 + extra) + _LOGITS_BACKWARD)


def _scoring_passes(training: Training) -> int:
    """Return how often a step is scored without gradients: for the sampler's ratio, and for the KL term."""
    return int(training.rollout == "served") + int(training.reference)


def optimizer(training: Training) -> Work:
    """Return the step of AdamW and the clipping of gradients, all in fp32."""
    shape = training.shape
    share = training.ranks if training.sharing.optimizer else 1
    tensors = len(shape.linear) * (2 if training.lora is not None else 1)
    return Work(
        "optimizer", 0, _OPTIMIZER_PASSES * 4 * training.trained / share, _OPTIMIZER_KERNELS * tensors
    )


def cached_rollout(shape: Shape, texts: Texts, each: int, *, adapter: int = 0) -> list[Work]:
    """Return the engine `cached`: prompts computed once a group, then a pass for each token of the longest.

    `each` is the bytes of a number, `adapter` the parameters of an adapter beside the weights.
    """
    seen = texts.prompts * max(0, texts.prompt_tokens - 1)
    sampled = texts.rows * texts.tokens
    linear, head = linear_parameters(shape), head_parameters(shape)
    kernels = _LAYER_KERNELS + (_ADAPTER_KERNELS * len(shape.linear) // shape.layers if adapter else 0)
    steps = texts.longest
    own = texts.rows * texts.tokens * (texts.tokens + 1) / 2
    moved = shape.layers * moved_per_token(shape, each) + adapter_moved(shape, each, adapter)
    joined = shape.layers * _JOIN_PASSES * 4 * shape.queries
    shared = texts.prompts * texts.prompt_tokens * steps
    return [
        Work("prompts", 2 * seen * (linear + adapter), linear * each, shape.layers * kernels),
        Work("prompts' attention", 2 * shape.queries * shape.layers * seen * texts.prompt_tokens),
        Work(
            "linear layers",
            2 * sampled * (linear + adapter),
            steps * (linear + adapter) * each,
            steps * (shape.layers * (kernels + _SHARED_PREFIX_KERNELS) + _TOKEN_KERNELS),
        ),
        _parts_of_attention(shape, "attention to prompts", sampled * texts.prompt_tokens, shared, each),
        # The suffix lies in a buffer with room to spare, so that its rows are copied for each product.
        _parts_of_attention(shape, "attention to completions", own, 3 * own, each),
        Work("layers' tensors", 0, (seen + sampled) * moved + sampled * joined),
        Work("head", 2 * sampled * head, steps * head * each),
        Work("draws", 0, sampled * shape.vocabulary * 4 * _DRAW_PASSES),
    ]


def _parts_of_attention(shape: Shape, name: str, pairs: float, read: float, each: int) -> Work:
    """Return attention of `pairs` of a token and a key, all heads, that reads `read` keys a layer."""
    scores = pairs * shape.heads * 4 * _SCORE_PASSES
    keys = read * 2 * shape.keys * each
    return Work(name, 4 * shape.queries * shape.layers * pairs, shape.layers * (scores + keys))


def served_rollout(
    shape: Shape, texts: Texts, each: int, *, adapter: int = 0, block: int, gathers_adapters: bool
) -> list[Work]:
    """Return one vLLM server: prompts, then a pass for each token of the longest, batched over its rows.

    Completions of a prompt share whole blocks of `block` tokens in the prefix cache. Where it
    `gathers_adapters`, as on the CPU, a copy of the adapter is made for every token of a pass.
    """
    whole = (max(0, texts.prompt_tokens - 1) // block) * block
    seen = texts.prompts * whole + texts.rows * (texts.prompt_tokens - whole)
    sampled = texts.rows * texts.tokens
    linear, head = linear_parameters(shape), head_parameters(shape)
    steps = texts.longest
    kernels = _LAYER_KERNELS + (2 * _ADAPTER_KERNELS * len(shape.linear) // shape.layers if adapter else 0)
    context = texts.prompt_tokens + (texts.tokens + 1) / 2
    gathered = 3 * (seen + sampled) * adapter * each if gathers_adapters else steps * adapter * each
    return [
        Work("prompts", 2 * seen * linear, linear * each),
        Work(
            "prompts' attention",
            2 * shape.queries * shape.layers * seen * texts.prompt_tokens,
        ),
        Work(
            "linear layers",
            2 * sampled * linear,
            steps * linear * each,
            (steps + 1) * (shape.layers * kernels + _TOKEN_KERNELS),
        ),
        Work("adapter", 2 * (seen + sampled) * adapter, gathered),
        Work(
            "attention",
            4 * shape.queries * shape.layers * sampled * context,
            sampled * context * shape.kv_per_token * each,
        ),
        Work("layers' tensors", 0, (seen + sampled) * shape.layers * moved_per_token(shape, each)),
        Work("head", 2 * (sampled + texts.rows) * head, steps * head * each),
        Work("draws", 0, sampled * shape.vocabulary * 4 * _DRAW_PASSES),
    ]
