"""`memory`: the peak of a step's rollout and of its backward pass, each side in a fresh process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from figures.attempt import STEP_PROMPTS, prepare, prompts
from figures.figure import Figure, interleaved, smaller
from figures.queue_judge import queue_judge

# Model, prompt tokens, completion tokens, completions a prompt.
Shape = tuple[str, int, int, int]
SHAPES: list[Shape] = [
    ("0.8M", 256, 64, 8),
    ("0.8M", 1024, 64, 16),
    ("25M", 256, 64, 8),
    ("25M", 1024, 64, 16),
]
SIDES = {"stock": "transformers", "gavel cached": "cached"}
_PHASES = ("rollout", "backward")
# From this many bytes on, glibc gives a tensor's memory back when the tensor is freed. Left to itself it
# raises the threshold to 32 MiB, and resident memory then shows the allocator's holes besides tensors.
_MMAP_THRESHOLD = 65536


class _MeasuredError(Exception):
    """The step has been measured, and need not be finished."""


def measure(*, quick: bool, repeats: int, say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield two figures a shape: peaks in MiB above what the process held before the step."""
    for shape in SHAPES[:1] if quick else SHAPES:
        for figure in _compared(shape, 1 if quick else repeats):
            say(f"{figure.shape}: {figure.sides} MiB, ratio {figure.ratio}")
            yield figure


def _compared(shape: Shape, repeats: int) -> Iterable[Figure]:
    name, prompt, completion, group = shape
    with tempfile.TemporaryDirectory(prefix="gavel-memory-") as folder:
        vocabulary = _save(Path(folder) / "model", name)
        texts = prompts(STEP_PROMPTS, prompt, vocabulary)
        with queue_judge(STEP_PROMPTS * group, group) as url:
            attempts = iter(range(1, 1 + repeats * len(SIDES)))

            def weigh(side: str) -> dict[str, float]:
                request, epoch_dir = prepare(
                    Path(folder),
                    next(attempts),
                    texts,
                    gateway_url=url,
                    steps=1,
                    num_generations=group,
                    micro_batch_size=group,
                    max_completion_tokens=completion,
                    rollout=SIDES[side],
                )
                return _in_a_fresh_process(side, request.model_dump_json(), epoch_dir)

            found = interleaved({side: lambda _, side=side: weigh(side) for side in SIDES}, repeats)
    for phase in _PHASES:
        peaks = {side: [each[phase] for each in weighed] for side, weighed in found.items()}
        cell = f"{name} {prompt}/{completion}/{group}, {phase}"
        yield smaller("memory", cell, peaks, ours="gavel cached", than="stock", target=1.0)


def _save(folder: Path, name: str) -> int:
    from figures.models import MODELS
    from figures.stock import tokenizer

    model = MODELS[name]()
    model.save_pretrained(folder)
    tokenizer(model.config.vocab_size).save_pretrained(folder)
    return model.config.vocab_size


def _in_a_fresh_process(side: str, request: str, epoch_dir: Path) -> dict[str, float]:
    usual = os.environ.get("MALLOC_MMAP_THRESHOLD_")
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(_MMAP_THRESHOLD)
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_weigh, side, request, epoch_dir).result()
    finally:
        if usual is None:
            del os.environ["MALLOC_MMAP_THRESHOLD_"]
        else:
            os.environ["MALLOC_MMAP_THRESHOLD_"] = usual


def _weigh(side: str, request: str, epoch_dir: Path) -> dict[str, float]:
    """Return the peaks of one step, in MiB above what the process held before it."""
    from contextlib import suppress

    from figures.resident import Memory
    from figures.sides import train
    from figures.stock import GRPOTrainer
    from gavel_train.contracts import StageRequest

    # The trainer's progress lines are of no use here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    memory = Memory()
    peaks: dict[str, float] = {}

    class Weighed(GRPOTrainer):
        def _generate(self, prompts: list[Any]) -> Any:
            self.before = memory.held()
            memory.forget_peak()
            output = super()._generate(prompts)
            peaks["rollout"] = memory.peak() - self.before
            return output

        def _prepare_inputs(self, generation_batch: Any) -> Any:
            inputs = super()._prepare_inputs(generation_batch)
            memory.forget_peak()
            return inputs

        def training_step(self, *args: Any) -> Any:
            super().training_step(*args)
            peaks["backward"] = memory.peak() - self.before
            raise _MeasuredError

    with suppress(_MeasuredError):
        train(side == "stock", StageRequest.model_validate_json(request), epoch_dir, Weighed)
    return peaks
