"""What the layers of a decoder keep for their backward pass."""

from __future__ import annotations

from gavel_train.contracts import FitPart
from gavel_train.fit.training import Training, count, part


def checkpoints(training: Training) -> FitPart:
    """Return what gradient checkpointing keeps: the input of each layer."""
    # Residuals are bf16 where the embedding is: with an adapter on bf16 weights.
    each = 2 if training.mixed and training.lora is not None else 4
    size = training.shape.layers * training.tokens * training.shape.hidden * each
    how = f"{_tokens_of_layers(training)} x {training.shape.hidden} x {each} bytes"
    return part("checkpointed activations", size, how)


def all_layers(training: Training) -> FitPart:
    """Return what all layers keep between the forward and the backward pass."""
    if training.checkpointing:
        return checkpoints(training)
    size = training.shape.layers * training.tokens * saved_per_token(training)
    how = f"{_tokens_of_layers(training)} x {saved_per_token(training)} bytes"
    return part("activations", size, how)


def saved_per_token(training: Training) -> int:
    """Return the bytes that one layer saves of one token for its backward pass.

    fp32: inputs, normed and scaled values of two norms (6 h); queries, keys and values as attention takes
    them, keys and values repeated for each query head, and its output (4 q); where heads are normed, what
    the norm takes and gives (2 q + 2 k); gate, up, gate's activation and the product (4 f). Mixed precision:
    the norms in fp32 and one bf16 copy for each of five linear layers; the rest in bf16. Norms that are not
    trained, as beside an adapter, save no normed values; the adapter saves its inner ones.
    The mask, one number for each other token, is made anew in every layer.
    """
    shape, adapted = training.shape, training.lora is not None
    h, q, f = shape.hidden, shape.queries, shape.intermediate
    heads = q + shape.keys if shape.normed_heads else 0
    seen = training.prompt_tokens + training.completion_tokens
    # Reciprocal roots of the norms, and attention's log-sum-exp.
    small = 4 * (2 + shape.heads + (shape.heads + shape.key_heads if shape.normed_heads else 0))
    if training.lora is not None:
        small += 4 * training.lora.r * len(shape.linear) // shape.layers
    if training.mixed:
        return (22 if adapted else 26) * h + 8 * q + (4 if adapted else 6) * heads + 8 * f + 2 * seen + small
    return 4 * ((4 if adapted else 6) * h + 4 * q + (1 if adapted else 2) * heads + 4 * f + seen) + small


def _tokens_of_layers(training: Training) -> str:
    return f"{training.shape.layers} layers x {count(training.tokens)} tokens"
