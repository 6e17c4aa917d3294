"""`rollouts`: non-padding completion tokens per second of stock TRL's samplers and of the engine `cached`.

All sides sample from the same weights, with gradient checkpointing on. Lengths of completions have the same
distribution (`models.EndsAtRandom`). A batch has 8 distinct prompts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import torch

from figures.figure import Figure, compare, interleaved
from figures.models import END, load
from figures.stock import sample, trainer_of
from gavel_train.rollouts.cached import CachedEngine
from gavel_train.rollouts.engine import Sampling

PROMPTS = 8
# Prompt tokens, completion tokens at most, completions a prompt.
SHAPES = [
    (16, 64, 8),
    (256, 64, 8),
    (1024, 64, 16),
    (16, 256, 8),
    (256, 256, 8),
    (1024, 256, 16),
]
QUICK = SHAPES[:3]
_TARGETS = {("135M", 16, 64, 8): 1.2, ("135M", 256, 64, 8): 2.5, ("135M", 1024, 64, 16): 6.0}
# Of the better one of stock's sides: the median, and the lowest repeat.
_EVERYWHERE, _LOWEST = 1.0, 0.95


Shape = tuple[int, int, int]


def shapes_of(text: str | None, *, quick: bool) -> list[Shape]:
    """Return the shapes written as prompt/completion/group, else all or the quick ones."""
    if text is None:
        return QUICK if quick else SHAPES
    return [(int(prompt), int(completion), int(group)) for prompt, completion, group in _parts(text)]


def _parts(text: str) -> list[list[str]]:
    return [shape.split("/") for shape in text.split(",")]


def measure(
    *,
    models: Iterable[str],
    shapes: str | None,
    quick: bool,
    repeats: int,
    continuous: bool,
    say: Callable[[str], None],
) -> Iterator[Figure]:
    """Yield a figure per model and shape; `say` gets each as a line when it is there."""
    for name in models:
        for shape in shapes_of(shapes, quick=quick):
            prompt, completion, group = shape
            sides = _sides(name, prompt, completion, group, continuous=continuous)
            figure = compare(
                "rollouts",
                f"{name} {prompt}/{completion}/{group}",
                interleaved(sides, repeats),
                ours="gavel cached",
                target=_TARGETS.get((name, *shape), _EVERYWHERE),
                lowest=_LOWEST,
            )
            say(f"{figure.shape}: {figure.sides} tokens/s, ratio {figure.ratio}")
            yield figure


def _sides(
    name: str, prompt: int, completion: int, group: int, *, continuous: bool
) -> dict[str, Callable[[int], float]]:
    model = load(name, mean_length=0.7 * completion)
    generator = torch.Generator().manual_seed(1)
    size = (PROMPTS, prompt)
    distinct = torch.randint(2, model.config.vocab_size, size, generator=generator).tolist()
    prompts = [ids for ids in distinct for _ in range(group)]
    shape = {"rows": len(prompts), "groups": group, "max_new_tokens": completion}
    stock = trainer_of(model, **shape)
    engine = CachedEngine(model, device=torch.device("cpu"))
    sampling = Sampling(completion, stop_ids=frozenset({END}))

    def timed(run: Callable[[], list[list[int]]]) -> Callable[[int], float]:
        def once(seed: int) -> float:
            torch.manual_seed(seed)
            model.train()
            began = time.perf_counter()
            completions = run()
            return sum(map(len, completions)) / (time.perf_counter() - began)

        return once

    sides = {"stock generate": timed(lambda: sample(stock, prompts))}
    if continuous:
        batching = trainer_of(model, **shape, continuous=True)
        sides["stock continuous batching"] = timed(lambda: sample(batching, prompts))
    sides["gavel cached"] = timed(lambda: [one.token_ids for one in engine.generate(prompts, sampling)])
    for side in sides.values():
        # The first call pays for what later ones find made.
        side(0)
    return sides
