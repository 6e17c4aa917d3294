"""`overlap`: what a step takes where sampling, judging and the update can go on at once."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import urllib.request
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from figures.attempt import STEP_PROMPTS, prepare, prompts
from figures.figure import Figure, smaller
from figures.queue_judge import queue_judge
from figures.sampler import vllm_on
from figures.schedule import last_verdict, shares

LOADS = (0.5, 1.0, 2.0)
_PROMPT, _COMPLETION, _GROUP = 64, 96, 8
_CALLS = STEP_PROMPTS * _GROUP
# With weights that are drawn at random all tokens are about as likely: the end token, too, comes once in so
# many tokens, and completions end at many lengths.
_VOCABULARY = 96
_LORA = {"r": 8, "alpha": 16, "dropout": 0.0}
_WARM_UP = 2
# While the last step is trained nothing is sampled ahead, so that it is no measure of those before it.
_WIND_DOWN = 1
_AT_MOST = 1.1

STOCK, AHEAD, AT_LEAST = "stock", "gavel served ahead", "at least"
SIDES: dict[str, dict[str, Any]] = {
    STOCK: {"rollout": "transformers"},
    "gavel cached": {"rollout": "cached"},
    "gavel served": {"rollout": "served", "max_staleness": 0},
    AHEAD: {"rollout": "served", "max_staleness": 1},
}


@dataclass(frozen=True)
class Times:
    """Means over the measured steps of one attempt, in seconds.

    `schedule` is the list schedule of the completions' recorded ends: generation and what the judge needs
    beyond it.
    """

    step: float
    generation: float
    schedule: float
    update: float


def measure(*, quick: bool, repeats: int, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of each load of the judge; raises RuntimeError on a machine with one core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("Expected two cores, one for the sampler and one for the trainer, found one.")
    with ExitStack() as stack:
        bench = _Bench(stack, *cores[:2], steps=3 if quick else 8)
        generation = bench.run("gavel served", 0.0).generation
        say(f"gavel served: a step's generation takes {generation:.2f} s, the judge's load is in units of it")
        loads = LOADS[1:2] if quick else LOADS
        found: dict[float, list[dict[str, Times]]] = {load: [] for load in loads}
        for _ in range(1 if quick else repeats):
            for load in loads:
                found[load].append({side: bench.run(side, load * generation) for side in SIDES})
                for side, times in found[load][-1].items():
                    say(f"judge {load:g}x, {side}: {times}")
        return [figure for load in loads for figure in figures_of(load, found[load])]


def figures_of(load: float, repeats: list[dict[str, Times]]) -> list[Figure]:
    """Return each of gavel's sides beside what its step takes at least, and beside stock TRL."""
    return [figure for side in SIDES if side != STOCK for figure in _figures(load, side, repeats)]


def _figures(load: float, side: str, repeats: list[dict[str, Times]]) -> list[Figure]:
    shape = f"{side}, judge {load:g} x generation"
    stock, mine = ([times[name].step for times in repeats] for name in (STOCK, side))
    amounts = {STOCK: stock, AT_LEAST: [_least(side, times) for times in repeats], side: mine}
    both = {STOCK: stock, side: mine}
    return [
        smaller("overlap", shape, amounts, ours=side, than=AT_LEAST, target=1 / _AT_MOST),
        smaller("overlap", f"{shape}, beside stock", both, ours=side, than=STOCK, target=None),
    ]


def _least(side: str, times: dict[str, Times]) -> float:
    """Return what a step of this side takes at least, in seconds."""
    if side != AHEAD:
        return times[side].schedule + times[side].update
    # The phases of a step that has both cores to itself: its own are longer where they hinder each other.
    alone = times["gavel served"]
    return max(alone.schedule, alone.update)


class _Bench:
    """The judge, the sampler and a process a side, each on its core."""

    def __init__(self, stack: ExitStack, sampler_core: int, trainer_core: int, *, steps: int) -> None:
        from figures import models, stock

        self._root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gavel-overlap-")))
        models.demo_shape(_VOCABULARY).save_pretrained(self._root / "model")
        stock.tokenizer(_VOCABULARY).save_pretrained(self._root / "model")
        self._judge = stack.enter_context(queue_judge(_CALLS, _GROUP, sampler_core))
        context = _PROMPT + _COMPLETION
        self._sampler = stack.enter_context(
            vllm_on(sampler_core, self._root / "model", self._root, context=context, lora_rank=_LORA["r"])
        )
        self._processes = {
            side: stack.enter_context(
                ProcessPoolExecutor(
                    1, mp_context=get_context("spawn"), initializer=_on_one_core, initargs=(trainer_core,)
                )
            )
            for side in SIDES
        }
        self._steps = _WARM_UP + steps + _WIND_DOWN
        self._texts = prompts(self._steps * STEP_PROMPTS, _PROMPT, _VOCABULARY)
        self._attempts = 0

    def run(self, side: str, judge_s: float) -> Times:
        """Train the measured steps anew on one side; the judge's calls of a step take `judge_s` together."""
        body = json.dumps({"step_s": judge_s}).encode()
        header = {"content-type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{self._judge}/load", body, header)).close()
        self._attempts += 1
        request, epoch_dir = prepare(
            self._root,
            self._attempts,
            self._texts,
            gateway_url=self._judge,
            policy_endpoints=[self._sampler],
            steps=self._steps,
            num_generations=_GROUP,
            max_completion_tokens=_COMPLETION,
            lora=_LORA,
            save_every=self._steps,
            **SIDES[side],
        )
        call = self._processes[side].submit(_train, side, request.model_dump_json(), epoch_dir)
        return _times(call.result(), judge_s)


def _on_one_core(core: int) -> None:
    os.sched_setaffinity(0, {core})
    os.environ["OMP_NUM_THREADS"] = "1"
    # The trainer's progress lines are of no use here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _train(side: str, request: str, epoch_dir: Path) -> list[Any]:
    import torch

    from figures.clock import Clock
    from figures.sides import train
    from gavel_train.contracts import StageRequest

    torch.set_num_threads(1)
    clock = Clock()
    with clock.watching_engines():
        asked = StageRequest.model_validate_json(request)
        train(side == STOCK, asked, epoch_dir, clock.trainer_class())
    return clock.steps


def _times(steps: list[Any], judge_s: float) -> Times:
    before, measured = steps[_WARM_UP - 1], steps[_WARM_UP:-_WIND_DOWN]
    services = [judge_s * share for share in shares(_CALLS)]
    return Times(
        step=(measured[-1].ended - before.ended) / len(measured),
        generation=statistics.mean(step.generation for step in measured),
        schedule=statistics.mean(last_verdict(step.ends, services) for step in measured),
        update=statistics.mean(step.update for step in measured),
    )
