"""The time of a GRPO step: its phases, and which of them run at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from gavel_train.fit.judge_queue import last_verdict_s, lengths
from gavel_train.fit.roofline import Rates, Work, seconds
from gavel_train.fit.step_work import Texts, update
from gavel_train.fit.training import Training


@dataclass(frozen=True)
class Queue:
    """A judge: calls that it answers at once, and seconds of each."""

    slots: int
    service_s: float


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step's phases, and of the step; `judge_s` is the wait for verdicts after the rollout."""

    rollout_s: float
    judge_s: float
    update_s: float
    step_s: float


def rollout_s(work: Sequence[Work], sampler: Rates) -> float:
    """Return the seconds of sampling, with what a step costs there."""
    return seconds(work, sampler) + sampler.step_s


def update_s(training: Training, trainer: Rates) -> float:
    """Return the seconds of the passes over a step's completions, with what a step costs besides."""
    return seconds(update(training), trainer) + trainer.step_s


def step_time(
    *, rollout: float, update: float, queue: Queue, rows: int, texts: Texts, max_staleness: int
) -> StepTime:
    """Put the phases of a step together; `rows` are the completions of all ranks.

    Completions end at the same share of a rollout as of the longest length, and enter the judge's queue
    then. With staleness 0 the update begins with the last verdict; with 1 the next step is sampled and judged
    meanwhile, and the longer of the two counts.
    """
    ends = [rollout * length / texts.longest for length in lengths(rows, texts.tokens, texts.longest)]
    judged = max(rollout, last_verdict_s(ends, queue.slots, queue.service_s))
    whole = judged + update if max_staleness == 0 else max(judged, update)
    return StepTime(rollout, judged - rollout, update, whole)


def served_queue(
    calls: int, work: Sequence[Work], alone: Sequence[Work], server: Rates, *, slots: int
) -> Queue:
    """Return the queue that a served judge is, for `calls` of a step.

    `work` is one server's for its share of them, `alone` for one call by itself. All of them at once are
    answered in the time of `work`, and one by itself in about that of `alone`.
    """
    whole = seconds(work, server)
    at_once = max(1, min(slots, calls, round(calls * seconds(alone, server) / whole)))
    return Queue(at_once, whole / ceil(calls / at_once))
