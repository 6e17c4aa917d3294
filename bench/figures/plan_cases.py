"""The configurations of the figure `plan`: those that rates are fitted to, and those that are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A configuration: a model's shape, the lengths of its texts in tokens, and how a step is made."""

    name: str
    # hidden, layers, heads, key heads, intermediate, vocabulary.
    model: tuple[int, int, int, int, int, int]
    prompt: int
    completion: int
    prompts: int
    group: int
    micro_batch: int
    rank: int | None = None
    rollout: str = "cached"
    max_staleness: int = 0
    # Calls that the judge answers at once, and the seconds of each.
    judge_slots: int = 64
    judge_s: float = 0.0

    @property
    def rows(self) -> int:
        """Completions of a step."""
        return self.prompts * self.group


@dataclass(frozen=True)
class Measured:
    """Medians over the steps of one run; `tokens` is the mean length of a completion."""

    step_s: float
    rollout_s: float
    judge_s: float
    tokens: float

    @property
    def update_s(self) -> float:
        """What is neither sampling nor waiting for the judge."""
        return self.step_s - self.rollout_s - self.judge_s


def describe(case: Case) -> str:
    """Say what a case is in one line."""
    hidden, layers, *_, vocabulary = case.model
    adapter = f"LoRA {case.rank}" if case.rank else "all weights"
    judge = f", judge {case.judge_slots} x {case.judge_s:g} s" if case.judge_s else ""
    stale = f", max_staleness {case.max_staleness}" if case.max_staleness else ""
    return (
        f"{case.rollout}{stale}, {layers} x {hidden}, {vocabulary} words, {adapter}, "
        f"{case.prompt}/{case.completion}/{case.group} of {case.prompts} prompts{judge}"
    )


# Sizes of models: hidden, layers, heads, key heads, intermediate, vocabulary.
_A = (128, 4, 4, 2, 384, 512)
_B = (512, 8, 8, 4, 1536, 8192)
_C = (256, 6, 8, 4, 768, 2048)
_D = (384, 10, 6, 3, 1024, 4096)
_E = (192, 16, 6, 2, 512, 1024)

_SERVED: dict[str, Any] = {"rank": 8, "rollout": "served"}

FITTED = (
    Case("a-full", _A, prompt=16, completion=64, prompts=8, group=8, micro_batch=32),
    Case("b-full", _B, prompt=128, completion=24, prompts=2, group=4, micro_batch=4),
    Case("b-lora", _B, prompt=48, completion=48, prompts=2, group=4, micro_batch=8, rank=16),
    Case("c-full", _C, prompt=128, completion=64, prompts=2, group=8, micro_batch=8),
    Case("c-lora", _C, prompt=32, completion=96, prompts=2, group=8, micro_batch=16, rank=8),
    Case("a-served", _A, prompt=32, completion=64, prompts=4, group=8, micro_batch=32, **_SERVED),
    Case("c-served", _C, prompt=64, completion=48, prompts=2, group=8, micro_batch=16, **_SERVED),
    Case("c-single", _C, prompt=160, completion=24, prompts=4, group=2, micro_batch=8, **_SERVED),
)
# On two cores a judge answers while the sampler samples: its calls sleep.
CHECKED = (
    Case(
        "d-full", _D, prompt=96, completion=48, prompts=2, group=6, micro_batch=6, judge_slots=4, judge_s=0.5
    ),
    Case("e-lora", _E, prompt=48, completion=112, prompts=2, group=8, micro_batch=8, rank=16),
    Case(
        "d-served",
        _D,
        prompt=64,
        completion=40,
        prompts=3,
        group=4,
        micro_batch=6,
        **_SERVED,
        judge_slots=6,
        judge_s=0.4,
    ),
    Case(
        "e-ahead",
        _E,
        prompt=24,
        completion=64,
        prompts=2,
        group=10,
        micro_batch=10,
        **_SERVED,
        max_staleness=1,
        judge_slots=10,
        judge_s=0.5,
    ),
)
