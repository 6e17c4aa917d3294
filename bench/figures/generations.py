"""`generations`: 1,000 generations in one process: does time, memory or state grow?"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PretrainedConfig

from figures.figure import Figure, Ratio
from figures.models import END, load
from figures.stock import sample, trainer_of
from gavel_train.rollouts.cached import CachedEngine
from gavel_train.rollouts.engine import Sampling

COUNT = 1000
_PART = 100
# Of its start, at the end.
_SLOWER_AT_MOST = 1.05
# The allocator's own pages come and go; a row of each generation, kept, would be more.
_GROWTH_AT_MOST_KIB = 2048
_ROWS, _GROUP, _COMPLETION = 8, 4, 8
_PROMPTS = [list(range(2, 18))] * _ROWS


def measure(*, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Return one figure a side: speed of the last 100 generations over that of the first 100."""
    figures = [_grown(side, COUNT // 5 if quick else COUNT) for side in (_stock, _cached)]
    for each in figures:
        say(f"{each.shape}: {each.ratio}")
    return figures


def _stock(model: Any) -> tuple[str, Callable[[], object]]:
    trainer = trainer_of(model, rows=_ROWS, groups=_GROUP, max_new_tokens=_COMPLETION)
    return "stock generate", lambda: sample(trainer, _PROMPTS)


def _cached(model: Any) -> tuple[str, Callable[[], object]]:
    engine = CachedEngine(model, device=torch.device("cpu"))
    sampling = Sampling(_COMPLETION, stop_ids=frozenset({END}))
    return "gavel cached", lambda: list(engine.generate(_PROMPTS, sampling))


def _grown(side: Callable[[Any], tuple[str, Callable[[], object]]], count: int) -> Figure:
    model = load("0.8M", mean_length=1e6)
    name, run = side(model)
    run()
    before = _state(model)
    parts: list[float] = []
    for _ in range(count // _PART):
        began = time.perf_counter()
        for _ in range(_PART):
            model.train()
            run()
        parts.append(_PART / (time.perf_counter() - began))
    hooks, configs, resident = (now - then for now, then in zip(_state(model), before, strict=True))
    ratio = Ratio(*(round(part / parts[0], 3) for part in (parts[-1], min(parts), max(parts))))
    unchanged = hooks == configs == 0 and resident <= _GROWTH_AT_MOST_KIB
    target = 1 / _SLOWER_AT_MOST if name == "gavel cached" else None
    return Figure(
        id="generations",
        shape=(
            f"{name}, 0.8M, {count} generations: {hooks} hooks, {configs} config objects "
            f"and {resident / 1024:.1f} MiB more"
        ),
        sides={"first 100, per s": round(parts[0], 2), "last 100, per s": round(parts[-1], 2)},
        ratio=ratio,
        target=target,
        met=None if target is None else ratio.median >= target and unchanged,
    )


def _state(model: Any) -> tuple[int, int, int]:
    """Return the number of forward hooks, that of config objects alive, and resident memory in KiB."""
    hooks = sum(len(module._forward_hooks) for module in model.modules())
    gc.collect()
    configs = sum(isinstance(one, PretrainedConfig | GenerationConfig) for one in gc.get_objects())
    status = Path("/proc/self/status").read_text().splitlines()
    return hooks, configs, next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
