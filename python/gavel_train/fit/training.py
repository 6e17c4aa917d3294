"""One rank's share of a GRPO step, as its memory sees it."""

from __future__ import annotations

from dataclasses import dataclass

from gavel_train.contracts import FitPart, LoraSpec
from gavel_train.fit.shape import Shape


@dataclass(frozen=True)
class Sharing:
    """What ranks share out among each other instead of copying it."""

    weights: bool = False
    gradients: bool = False
    optimizer: bool = False
    # DeepSpeed or FSDP keeps the optimizer in main memory.
    offloaded: bool = False


@dataclass(frozen=True)
class Training:
    """One rank's share of a GRPO step; lengths in tokens."""

    shape: Shape
    prompt_tokens: int
    completion_tokens: int
    # Completions of this rank in a step, and in one pass.
    rows: int
    micro_batch: int
    num_generations: int
    mixed: bool
    checkpointing: bool
    lora: LoraSpec | None = None
    reference: bool = False
    rollout: str = "cached"
    ranks: int = 1
    on_gpu: bool = False
    sharing: Sharing = Sharing()

    @property
    def trained(self) -> int:
        """Parameters that are trained."""
        if self.lora is None:
            return self.shape.parameters
        return self.shape.adapter_parameters(self.lora.r, self.lora.target_modules)

    @property
    def tokens(self) -> int:
        """Tokens in one pass."""
        return self.micro_batch * (self.prompt_tokens + self.completion_tokens)


def part(name: str, size: int, how: str) -> FitPart:
    """Return a line of a sum."""
    return FitPart(name=name, bytes=size, how=how)


def count(number: int) -> str:
    """Return a count as people read it."""
    return f"{number / 1e6:,.1f}M" if number >= 1e5 else f"{number:,}"
