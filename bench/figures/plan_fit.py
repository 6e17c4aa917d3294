"""Predicts a case's step with given rates, and finds the rates that the phases of some cases show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from scipy.optimize import least_squares

from figures.plan_cases import Case, Measured
from gavel_train.contracts import LocatedModel, LoraSpec
from gavel_train.fit.machines import Engines
from gavel_train.fit.roofline import Rates, Work
from gavel_train.fit.shape import Shape, shape_of
from gavel_train.fit.step_time import Queue, StepTime, rollout_s, step_time, update_s
from gavel_train.fit.step_work import Texts, cached_rollout, served_rollout
from gavel_train.fit.training import Training

# vLLM's block of keys and values on the CPU.
_BLOCK = 128
_FLOAT32 = 4
# What a core of a current server does, from where the search begins: flops and bytes per second, seconds to
# launch a kernel, and for a step.
_START = (60e9, 8e9, 8e-6, 0.03)
# A rate that the cases hardly show stays near its start: twice as much counts like an error of 7% in a phase.
_PULL = 0.1


def predicted(case: Case, shape: Shape, tokens: float, engines: Engines) -> StepTime:
    """Return the step of a case whose completions have `tokens` tokens in the mean."""
    training, texts = training_of(case, shape), texts_of(case, tokens)
    rates = engines.cached if case.rollout == "cached" else engines.vllm
    return step_time(
        rollout=rollout_s(rollout_work(case, training, texts), rates),
        update=update_s(training, engines.trainer),
        queue=Queue(case.judge_slots, case.judge_s),
        rows=case.rows,
        texts=texts,
        max_staleness=case.max_staleness,
    )


def shape_of_folder(model: Path) -> Shape:
    """Return the sizes of a model that lies here."""
    return shape_of(LocatedModel(path=str(model), revision=None), Path())


def texts_of(case: Case, tokens: float) -> Texts:
    """Return what a case samples."""
    return Texts(case.prompts, case.rows, case.prompt, tokens, case.completion)


def training_of(case: Case, shape: Shape) -> Training:
    """Return what a case trains."""
    lora = case.rank and LoraSpec(r=case.rank, alpha=2 * case.rank, dropout=0.0)
    return Training(
        shape=shape,
        prompt_tokens=case.prompt,
        completion_tokens=case.completion,
        rows=case.rows,
        micro_batch=case.micro_batch,
        num_generations=case.group,
        mixed=False,
        checkpointing=True,
        lora=lora or None,
        rollout=case.rollout,
    )


def rollout_work(case: Case, training: Training, texts: Texts) -> list[Work]:
    """Return what the case's engine does in a rollout."""
    adapter = training.trained if case.rank else 0
    if case.rollout == "cached":
        return cached_rollout(training.shape, texts, _FLOAT32, adapter=adapter)
    return served_rollout(
        training.shape, texts, _FLOAT32, adapter=adapter, block=_BLOCK, gathers_adapters=True
    )


def fitted(seen: Sequence[tuple[Case, Shape, Measured]], source: str) -> Engines:
    """Return the rates with the least squared errors of the logarithms of the phases of `seen`.

    The trainer's are those of all updates, those of `cached` of its rollouts, and vLLM's launches and steps
    those of `served` ones. vLLM's arithmetic and memory are those of `cached`: both pass over single tokens.
    """
    start = [math.log(value) for value in (*_START, *_START[:3], *_START[2:])]

    def errors(logs: Sequence[float]) -> list[float]:
        engines = engines_of(logs)
        found = [_PULL * (log - at) for log, at in zip(logs, start, strict=True)]
        for case, shape, measured in seen:
            one = predicted(case, shape, measured.tokens, engines)
            found.append(math.log(one.rollout_s / measured.rollout_s))
            found.append(math.log(one.update_s / measured.update_s))
        return found

    def engines_of(logs: Sequence[float]) -> Engines:
        values = [math.exp(value) for value in logs]
        flops, memory, launch = values[4:7]
        cached, vllm = Rates(flops, memory, launch, 0.0), Rates(flops, memory, *values[7:])
        return Engines(Rates(*values[:4]), cached, vllm, source)

    return engines_of(least_squares(errors, start).x)
