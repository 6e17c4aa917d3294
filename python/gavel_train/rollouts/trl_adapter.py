"""Turns an engine into TRL's `rollout_func`, and has each completion judged the moment it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.judging.desk import RewardDesk
from gavel_train.judging.reward import Judged, as_record
from gavel_train.rollouts.engine import Completion, Engine, Sampling
from gavel_train.rollouts.pending_step import PendingStep
from gavel_train.rollouts.prompts import Prompt, text_of, tokenize
from gavel_train.run.ranks import any_rank

MakeEngine = Callable[[Any], Engine]


@dataclass(frozen=True)
class StepPrompts:
    """This rank's prompts of one step, each repeated for its group.

    `step` counts from 1; `first_position` is that of the first prompt in the batch of all ranks.
    """

    step: int
    first_position: int
    prompts: Sequence[Prompt]
    prompt_ids: list[list[int]]


class EngineRollout:
    """A step's completions, sampled by an engine and judged.

    TRL calls it with the prompts of this rank, each repeated for its group. A completion goes to the judge
    when it ends, while others are still sampled; the verdicts are awaited here and not in the reward
    function, because only `env_mask`, which TRL reads before it asks for rewards, keeps the tokens of a row
    without a reward out of the loss normaliser and of the KL term.

    `make_engine` gets TRL's trainer at the first step, when its model is where it will stay. With
    `mask_truncated` the tokens of completions that end by length are masked too; they keep their rewards.
    """

    def __init__(
        self,
        rows: Mapping[str, PromptRow],
        desk: RewardDesk,
        sampling: Sampling,
        make_engine: MakeEngine,
        *,
        mask_truncated: bool = False,
    ) -> None:
        self.rows = rows
        self.desk = desk
        self.figures: dict[str, float] = {}
        self._sampling = sampling
        self._make_engine = make_engine
        self._mask_truncated = mask_truncated
        self.engine: Engine | None = None

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Return TRL's `prompt_ids`, `completion_ids`, `logprobs`, besides `judged` and maybe `env_mask`."""
        started = time.monotonic()
        if self.engine is None:
            self.engine = self._make_engine(trainer)
        prompt_ids = tokenize(trainer.processing_class, prompts, trainer.chat_template_kwargs)
        asked = StepPrompts(*place_of(trainer, len(prompts)), prompts, prompt_ids)
        pending = self.pending(trainer, asked)
        with pending.batch:
            completions = self.wait_for(trainer, pending)
            generated = time.monotonic()
            judged = pending.batch.collect(partial(any_rank, trainer))
        self.figures |= {
            "rollout_seconds": generated - started,
            "judge_seconds": time.monotonic() - generated,
        }
        completion_ids = [one.token_ids for one in completions]
        sampled = [one.logprobs for one in completions]
        output: dict[str, Any] = {
            "prompt_ids": prompt_ids,
            "completion_ids": completion_ids,
            # An engine that samples from the training weights has no ratio to correct.
            "logprobs": None if None in sampled else sampled,
            "judged": judged,
        }
        masked = [
            verdict.reward is None or (self._mask_truncated and one.ended == "length")
            for verdict, one in zip(judged, completions, strict=True)
        ]
        if any(masked):
            output["env_mask"] = [
                [int(not hidden)] * len(ids) for hidden, ids in zip(masked, completion_ids, strict=True)
            ]
        return output

    def pending(self, trainer: Any, asked: StepPrompts) -> PendingStep:
        """Return the step that TRL asks for, begun or not."""
        assert self.engine is not None
        batch = self.desk.open(asked.step, asked.first_position, self.rows_of(asked.prompts))
        stream = self.engine.generate(asked.prompt_ids, self._sampling)
        return PendingStep(stream, range(len(asked.prompts)), batch, decoder(trainer.processing_class))

    def wait_for(self, trainer: Any, pending: PendingStep) -> list[Completion]:
        """Have the step's completions sampled and handed in."""
        pending.run()
        return pending.completions()

    def rows_of(self, prompts: Sequence[Prompt]) -> list[PromptRow]:
        """Return the rows that the prompts were made of."""
        return [self.rows[text_of(prompt)] for prompt in prompts]

    def committed(self, step: int) -> None:
        """Learn that a checkpoint at `step` is durable."""

    def close(self) -> None:
        """End what the rollout has started besides its engine's own work."""

    def restore_layers(self) -> None:
        """Give the model's layers their state back once more.

        TRL itself turns checkpointing off and on, with default settings, between the rollout and the
        rewards; the reward function is the last code of ours to run before the step's forward pass.
        """
        restore = getattr(self.engine, "restore_layers", None)
        if restore is not None:
            restore()


class CollectRewards:
    """TRL's reward function: reads the rewards that the rollout brought, or has completions judged now."""

    __name__ = "reward"

    def __init__(self, rollout: EngineRollout) -> None:
        self._rollout = rollout
        self.trainer: Any = None

    def __call__(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[Any],
        log_extra: Any,
        judged: list[Judged] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """Return one reward per completion; None where the judge gave no score."""
        self._rollout.restore_layers()
        if judged is None:
            rows = self._rollout.rows_of(prompts)
            texts = [text if isinstance(text, str) else text[-1]["content"] for text in completions]
            with self._rollout.desk.open(*place_of(self.trainer, len(prompts)), rows) as batch:
                for index, text in enumerate(texts):
                    batch.hand_in(index, text)
                judged = batch.collect(partial(any_rank, self.trainer))
        # TRL gathers these over the ranks, in the order of the advantages.
        log_extra("rollout", [as_record(one) for one in judged])
        return [one.reward for one in judged]


def place_of(trainer: Any, rows: int) -> tuple[int, int]:
    """Return the step being made (from 1) and the position of this rank's first row in the step's batch."""
    return trainer.state.global_step + 1, trainer.accelerator.process_index * rows


def decoder(tokenizer: Any) -> Callable[[list[int]], str]:
    """Return what turns token ids into the text that is judged."""
    return partial(tokenizer.decode, skip_special_tokens=True)
