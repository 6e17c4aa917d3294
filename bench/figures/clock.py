"""When each step of a trainer samples, waits and updates, on the machine's monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainerCallback

from figures.stock import GRPOTrainer
from gavel_train.rollouts.cached import CachedEngine
from gavel_train.rollouts.engine import Completion
from gavel_train.rollouts.served import ServedEngine


@dataclass
class StepTimes:
    """Times of one step, in seconds of the monotonic clock.

    `ends` says when each completion ended, counted from `sampling_began`, in the order of the rows.
    `judged` is when the trainer has the rollout: with verdicts where gavel samples, without where TRL does.
    """

    began: float = 0.0
    sampling_began: float = 0.0
    ends: list[float] = field(default_factory=list)
    judged: float = 0.0
    ended: float = 0.0

    @property
    def update(self) -> float:
        """Seconds from the rollout's return to the end of the step."""
        return self.ended - self.judged

    @property
    def generation(self) -> float:
        """Seconds that the step's completions took."""
        return max(self.ends)


class Clock(TrainerCallback):
    """Keeps the times of all steps; steps may be sampled before they begin."""

    def __init__(self) -> None:
        self._steps: dict[int, StepTimes] = {}
        self._sampled = 0

    @property
    def steps(self) -> list[StepTimes]:
        """The steps that have ended, in order."""
        return [self._steps[step] for step in sorted(self._steps) if self._steps[step].ended]

    def step(self, number: int) -> StepTimes:
        """Return the times of a step, from 1."""
        return self._steps.setdefault(number, StepTimes())

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note it."""
        self.step(state.global_step + 1).began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note it."""
        self.step(state.global_step).ended = time.monotonic()

    def sampling_begins(self) -> StepTimes:
        """Note that the next step's completions are asked for."""
        self._sampled += 1
        step = self.step(self._sampled)
        step.sampling_began = time.monotonic()
        return step

    def trainer_class(self) -> type[GRPOTrainer]:
        """Return TRL's trainer that tells this clock."""
        clock = self

        class Clocked(GRPOTrainer):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.add_callback(clock)

            def _generate(self, prompts: list[Any]) -> Any:
                output = super()._generate(prompts)
                clock.step(self.state.global_step + 1).judged = time.monotonic()
                return output

            def _generate_single_turn(self, prompt_ids: list[Any], *others: Any) -> Any:
                step = clock.sampling_begins()
                output = super()._generate_single_turn(prompt_ids, *others)
                step.ends = [time.monotonic() - step.sampling_began] * len(prompt_ids)
                return output

        return Clocked

    @contextmanager
    def watching_engines(self) -> Generator[None, None, None]:
        """Inside, the completions of gavel's engines are noted as they come."""
        usual = {engine: engine.generate for engine in (CachedEngine, ServedEngine)}
        for engine, generate in usual.items():
            engine.generate = self._noted(generate)
        try:
            yield
        finally:
            for engine, generate in usual.items():
                engine.generate = generate

    def _noted(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        def noted(engine: Any, prompts: Any, sampling: Any) -> Generator[Completion, None, None]:
            # The served engine chooses its adapter when it is called, not when it is read.
            return self._note(generate(engine, prompts, sampling), len(prompts))

        return noted

    def _note(
        self, stream: Generator[Completion, None, None], rows: int
    ) -> Generator[Completion, None, None]:
        step = self.sampling_begins()
        step.ends = [0.0] * rows
        with closing(stream):
            for one in stream:
                step.ends[one.index] = time.monotonic() - step.sampling_began
                yield one
