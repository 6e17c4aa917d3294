"""CachedRollout: gradient checkpointing and the KV cache in one trainer, through TRL's `rollout_func`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from trl.models.utils import unwrap_model_for_generation

from gavel_train.contracts import PromptRow
from gavel_train.judging.reward import Judged, RewardDesk, as_record
from gavel_train.rollouts.generation import Prompt, complete, text_of, tokenize
from gavel_train.rollouts.layer_state import LayerState, generating
from gavel_train.run.ranks import any_rank


class CachedRollout:
    """Generates a step's completions with the cache on and dropout off, and has them judged.

    TRL calls it with the prompts of this rank, each repeated for its group. Completions go to the judge
    as soon as generation ends; their verdicts are awaited here and not in the reward function, because
    only `env_mask`, which TRL reads before it asks for rewards, keeps the tokens of a row without a
    reward out of the loss normaliser and of the KL term.
    """

    def __init__(self, rows: Mapping[str, PromptRow], desk: RewardDesk) -> None:
        self.rows = rows
        self.desk = desk
        self.seconds: dict[str, float] = {}
        self._layers: LayerState | None = None

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Return TRL's `prompt_ids`, `completion_ids`, `logprobs`, besides `judged` and maybe `env_mask`."""
        started = time.monotonic()
        rows = [self.rows[text_of(prompt)] for prompt in prompts]
        prompt_ids = tokenize(trainer.processing_class, prompts, trainer.chat_template_kwargs)
        completion_ids = self._generate(prompt_ids, trainer)
        texts = trainer.processing_class.batch_decode(completion_ids, skip_special_tokens=True)
        generated = time.monotonic()

        judged = self.desk.judge_all(
            *place_of(trainer, len(prompts)), rows, texts, partial(any_rank, trainer)
        )
        self.seconds = {"rollout_seconds": generated - started, "judge_seconds": time.monotonic() - generated}
        output: dict[str, Any] = {
            "prompt_ids": prompt_ids,
            "completion_ids": completion_ids,
            # Without vLLM nothing samples off the training weights, so there is no ratio to correct.
            "logprobs": None,
            "judged": judged,
        }
        if any(one.reward is None for one in judged):
            output["env_mask"] = [
                [0 if one.reward is None else 1] * len(ids)
                for one, ids in zip(judged, completion_ids, strict=True)
            ]
        return output

    def restore_layers(self) -> None:
        """Give the layers their state back once more.

        TRL itself turns checkpointing off and on, with default settings, between the rollout and the
        rewards; the reward function is the last code of ours to run before the step's forward pass.
        """
        if self._layers is not None:
            self._layers.restore()

    def _generate(self, prompt_ids: list[list[int]], trainer: Any) -> list[list[int]]:
        unwrapped = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        with (
            generating(unwrapped) as self._layers,
            unwrap_model_for_generation(
                trainer.model_wrapped,
                trainer.accelerator,
                gather_deepspeed3_params=trainer.args.ds3_gather_for_generation,
            ) as model,
            trainer._dist.summon_full_params(trainer.model_wrapped, recurse=False),
        ):
            device = trainer.accelerator.device
            return complete(
                model, prompt_ids, trainer.generation_config, device=device, give_up_on_notice=True
            )


class CollectRewards:
    """TRL's reward function: reads the rewards that the rollout brought, or has completions judged now."""

    __name__ = "reward"

    def __init__(self, rollout: CachedRollout) -> None:
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
            rows = [self._rollout.rows[text_of(prompt)] for prompt in prompts]
            texts = [text if isinstance(text, str) else text[-1]["content"] for text in completions]
            place = place_of(self.trainer, len(prompts))
            judged = self._rollout.desk.judge_all(*place, rows, texts, partial(any_rank, self.trainer))
        # TRL gathers these over the ranks, in the order of the advantages.
        log_extra("rollout", [as_record(one) for one in judged])
        return [one.reward for one in judged]


def place_of(trainer: Any, rows: int) -> tuple[int, int]:
    """Return the step being made (from 1) and the position of this rank's first row in the step's batch."""
    return trainer.state.global_step + 1, trainer.accelerator.process_index * rows
