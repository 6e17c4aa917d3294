"""Memory of a served model: one vLLM, on the GPUs of its copy or on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

from gavel_train.contracts import FitPart, ServeSpec
from gavel_train.fit.shape import Shape

# vLLM's default of --gpu-memory-utilization.
DEFAULT_UTILIZATION = 0.9
# src/serving/engines/vllm.ts gives each CPU server this much for keys and values.
CPU_CACHE_BYTES = 2**30
# vLLM profiles a pass over this many tokens and this many last positions (its defaults for a server) before
# it gives the rest to the cache.
_BATCHED_TOKENS = 8192
_SEQUENCES = 256


@dataclass(frozen=True)
class Served:
    """What one GPU, or one CPU server, holds of a served model."""

    parts: tuple[FitPart, ...]
    # Tokens of one sequence that the cache must hold: vLLM refuses to start with less room.
    context: int
    cache_per_token: int

    @property
    def bytes(self) -> int:
        """The sum, with the cache of one sequence."""
        return sum(part.bytes for part in self.parts)


def served(shape: Shape, serve: ServeSpec, *, on_gpu: bool) -> Served:
    """Return what one copy needs at least: its weights, a pass, and the cache of one sequence."""
    split = serve.tensor_parallel_size
    each = _bytes_of(serve.dtype, shape)
    weights = int(shape.parameters * each) // split
    context = serve.max_model_len or shape.context
    # Key heads are shared out too, but each GPU has one at least.
    share = min(split, shape.key_heads)
    # kv-cache-dtype may be narrower; weights in fp32 keep a cache in fp32.
    cache_each = 4 if serve.dtype == "float32" else 2
    per_token = shape.kv_per_token * cache_each // share
    divided = f" / {split}" if split > 1 else ""
    parts = [
        FitPart(
            name="weights",
            bytes=weights,
            how=f"{shape.parameters / 1e6:,.1f}M x {each} bytes{divided}",
        )
    ]
    if on_gpu:
        tokens = min(_BATCHED_TOKENS, max(context, 1))
        size = tokens * (2 * shape.hidden + 2 * shape.intermediate // split) * 2
        size += _SEQUENCES * shape.vocabulary * 4 * 2 // split
        parts.append(
            FitPart(
                name="one pass",
                bytes=size,
                how=f"{tokens} tokens of a layer, logits of {_SEQUENCES} sequences",
            )
        )
        one = FitPart(
            name="KV cache",
            bytes=per_token * context,
            how=f"one sequence of {context} tokens x {per_token} bytes",
        )
    else:
        one = FitPart(name="KV cache", bytes=CPU_CACHE_BYTES, how="gavel gives a CPU server 1 GiB")
    return Served(parts=(*parts, one), context=context, cache_per_token=per_token)


def _bytes_of(dtype: str, shape: Shape) -> float:
    if dtype == "float32":
        return 4
    stored = shape.stored_bytes / max(1, shape.parameters)
    # auto keeps what is stored, quantized weights too, and halves fp32.
    return 2 if dtype in ("bfloat16", "float16") or stored > 2 else round(stored, 3)
