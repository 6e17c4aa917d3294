"""Where the completions of a run come from, and what each way of sampling refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gavel_train.contracts import PromptRow, Spec, StageRequest
from gavel_train.judging.desk import RewardDesk
from gavel_train.rollouts.engine import Engine, Sampling, sampling_for
from gavel_train.rollouts.prompts import Prompt, as_prompt, tokenize
from gavel_train.rollouts.trl_adapter import EngineRollout
from gavel_train.run import lifetime
from gavel_train.run.directory import run_dir_of
from gavel_train.run.outcome import BadRequest

if TYPE_CHECKING:
    from gavel_train.rollouts.served_rollout import ServedRollout


def choose_rollout(
    request: StageRequest,
    epoch_dir: Path,
    tokenizer: Any,
    order: Sequence[PromptRow],
    desk: RewardDesk,
    *,
    done: int,
) -> EngineRollout:
    """Return the rollout of the run; `order` holds the prompts of every step, `done` steps are committed."""
    grpo = request.spec.grpo
    rows = {row.prompt: row for row in order}
    sampling = sampling_for(tokenizer, grpo, temperature=grpo.temperature)
    if grpo.rollout == "served":
        return served_rollout(request, epoch_dir, tokenizer, order, desk, rows, sampling, done=done)
    return EngineRollout(rows, desk, sampling, cached_engine, mask_truncated=grpo.mask_truncated_completions)


def served_rollout(
    request: StageRequest,
    epoch_dir: Path,
    tokenizer: Any,
    order: Sequence[PromptRow],
    desk: RewardDesk,
    rows: dict[str, PromptRow],
    sampling: Sampling,
    *,
    done: int,
) -> ServedRollout:
    """Return a rollout whose completions come from the servers that the request names."""
    from gavel_train.rollouts.journal import Journal, prune_journal, read_journal
    from gavel_train.rollouts.served import ServedEngine
    from gavel_train.rollouts.served_rollout import ServedRollout, ServedSteps

    grpo, per_step = request.spec.grpo, request.spec.grpo.prompts_per_step
    stage_dir = run_dir_of(request) / request.stage

    each = per_step * grpo.num_generations // grpo.processes
    mine = range(lifetime.rank() * each, (lifetime.rank() + 1) * each)

    def prompts_of(step: int) -> list[Prompt]:
        return [as_prompt(tokenizer, row) for row in order[(step - 1) * per_step : step * per_step]]

    def prune(step: int) -> None:
        # As far back as a checkpoint may lie that a damaged newer one makes an attempt resume from.
        oldest = step - (max(2, grpo.keep_checkpoints) + 1) * grpo.save_every
        prune_journal(stage_dir, up_to_epoch=request.epoch, oldest_resume=oldest, save_every=grpo.save_every)

    return ServedRollout(
        rows,
        desk,
        sampling,
        ServedEngine(
            [Path(path) for path in request.policy_endpoints],
            away_limit_s=request.spec.policy.outage_limit_s,
        ),
        steps=ServedSteps(
            epoch=request.epoch,
            last=grpo.steps,
            seed=grpo.seed,
            num_generations=grpo.num_generations,
            max_staleness=grpo.max_staleness,
            prompts_of=prompts_of,
            prune=prune,
        ),
        journal=Journal(epoch_dir, lifetime.rank(), done),
        journaled=read_journal(
            stage_dir,
            before_epoch=request.epoch,
            after_step=done,
            save_every=grpo.save_every,
            is_mine=lambda group, rollout: group * grpo.num_generations + rollout in mine,
        ),
        adapters=epoch_dir / "adapters",
        mask_truncated=grpo.mask_truncated_completions,
    )


def check_rollout(request: StageRequest, trainer: Any, order: Sequence[PromptRow]) -> None:
    """Raise BadRequest where the chosen engine cannot sample from what a trainer trains."""
    match request.spec.grpo.rollout:
        case "cached":
            check_cached(trainer)
        case "served":
            check_served(request.spec, trainer, order)
        case "vllm_colocate" | "vllm_server":
            check_context(request.spec, trainer, order)


def check_cached(trainer: Any) -> None:
    """Raise BadRequest where the engine `cached` cannot sample from what a trainer trains."""
    from gavel_train.rollouts.cached import UnsupportedModel, refuse_unsupported

    if is_sharded(trainer):
        raise BadRequest(
            "grpo.sharding",
            "Expected whole weights in each process for grpo.rollout cached, found that they are sharded; "
            "set grpo.sharding: ddp, or use grpo.rollout vllm_colocate",
        )
    try:
        refuse_unsupported(trainer.model)
    except UnsupportedModel as error:
        raise BadRequest("grpo.rollout", f"grpo.rollout cached: {error}") from None


def check_served(spec: Spec, trainer: Any, order: Sequence[PromptRow]) -> None:
    """Raise BadRequest where servers cannot sample from what a trainer trains, or a prompt is too long."""
    if is_sharded(trainer):
        raise BadRequest(
            "grpo.sharding",
            "Expected the whole adapter in each process for grpo.rollout served, found that it is sharded; "
            "set grpo.sharding: ddp",
        )
    check_context(spec, trainer, order)


def check_context(spec: Spec, trainer: Any, order: Sequence[PromptRow]) -> None:
    """Raise BadRequest where a vLLM's context is too short for the longest prompt and its completion."""
    tokenizer = trainer.processing_class
    prompts = [as_prompt(tokenizer, row) for row in order]
    longest = max(map(len, tokenize(tokenizer, prompts, spec.policy.chat_template_kwargs)))
    context = spec.policy.serve.max_model_len or trainer.model.config.max_position_embeddings
    wanted = longest + spec.grpo.max_completion_tokens
    if wanted > context:
        raise BadRequest(
            "policy.serve.max_model_len",
            f"Expected a context of at least {wanted} tokens for grpo.rollout {spec.grpo.rollout}: "
            f"the longest prompt ({longest}) and "
            f"grpo.max_completion_tokens ({spec.grpo.max_completion_tokens}); found {context}",
        )


def is_sharded(trainer: Any) -> bool:
    """Return whether no process holds the whole weights."""
    return trainer.is_fsdp_enabled or (
        trainer.is_deepspeed_enabled and trainer.accelerator.state.deepspeed_plugin.zero_stage == 3
    )


def correct_for_the_sampler(trainer: Any) -> None:
    """Have TRL weigh each completion by the ratio of the trainer's probability to the sampler's.

    TRL does so for its own vLLM modes alone, and asks `use_vllm` whether it is one; set in its arguments,
    that would start a vLLM.
    """
    if not trainer.vllm_importance_sampling_correction:
        return
    trainer.use_vllm = True
    trainer.vllm_generation = _NothingToSync()
    trainer._last_loaded_step = -1


class _NothingToSync:
    """Stands for TRL's own vLLM: the rollout publishes the weights itself."""

    def sync_weights(self) -> None:
        """Do nothing."""


def cached_engine(trainer: Any) -> Engine:
    """Return the engine that samples from the weights of a trainer whose model is where it will stay."""
    import torch

    from gavel_train.rollouts.cached import CachedEngine

    return CachedEngine(
        trainer.accelerator.unwrap_model(trainer.model_wrapped),
        trainer.processing_class,
        device=trainer.accelerator.device,
        compute_dtype=torch.bfloat16 if trainer.args.bf16 else None,
        give_up_on_notice=True,
    )
