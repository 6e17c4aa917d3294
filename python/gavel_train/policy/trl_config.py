"""The spec in TRL's words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from trl.trainer.grpo_config import GRPOConfig

from gavel_train.contracts import GrpoSpec, Spec
from gavel_train.judging.gateway import GATEWAY_AWAY_LIMIT_S
from gavel_train.run.outcome import BadRequest

# What a commit of a large model may take on a slow filesystem while the other ranks wait for rank 0.
_COLLECTIVE_MARGIN_S = 1800


def trl_config(spec: Spec, *, output_dir: Path, run_name: str, fitting: int | None = None) -> GRPOConfig:
    """Return TRL's arguments; raises BadRequest where batch sizes do not divide or a GPU is missing.

    Trackers show `run_name`. `fitting` is the micro batch that was chosen for the GPUs when the run was
    prepared; None on the CPU.
    """
    grpo = spec.grpo
    constant = grpo.lr_schedule == "constant"
    micro_batch, accumulation = batch_sizes(
        grpo, world_size=int(os.environ.get("WORLD_SIZE", "1")), fitting=fitting
    )
    return GRPOConfig(
        output_dir=str(output_dir),
        max_steps=grpo.steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=accumulation,
        # One generation batch is one optimizer step: nothing generated is pending where a checkpoint falls.
        steps_per_generation=accumulation,
        num_iterations=1,
        num_generations=grpo.num_generations,
        max_completion_length=grpo.max_completion_tokens,
        temperature=grpo.temperature,
        # For the rollouts that TRL samples itself; the engines get the same (see rollouts.engine).
        top_p=grpo.top_p,
        top_k=grpo.top_k,
        min_p=grpo.min_p or None,
        repetition_penalty=grpo.repetition_penalty,
        chat_template_kwargs=spec.policy.chat_template_kwargs,
        # For the model that the KL term compares with: TRL loads it by name.
        model_init_kwargs=_reference(spec),
        learning_rate=grpo.learning_rate,
        # TRL's `constant` knows no warm-up. The horizon of the others is max_steps, also in an attempt that
        # resumes, so that it has the rates of an uninterrupted one.
        lr_scheduler_type="constant_with_warmup" if constant and grpo.warmup_steps else grpo.lr_schedule,
        warmup_steps=grpo.warmup_steps,
        beta=grpo.beta,
        scale_rewards=grpo.scale_rewards,
        loss_type=grpo.loss_type,
        # An engine knows which completions were cut off (see rollouts.trl_adapter); TRL takes those that end
        # in a stop string for truncated.
        mask_truncated_completions=grpo.mask_truncated_completions
        and grpo.rollout not in ("cached", "served"),
        gradient_checkpointing=grpo.gradient_checkpointing,
        # The order is laid out beforehand (see grpo.prompt_order).
        shuffle_dataset=False,
        bf16=grpo.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=grpo.seed,
        data_seed=grpo.seed,
        # One rank may wait for judge and gateway as long as they may be away; the others have to bear it.
        ddp_timeout=_longest_wait(spec) + _COLLECTIVE_MARGIN_S,
        # The commit callback alone says when to save.
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=1,
        report_to=list(grpo.report_to) or "none",
        project=spec.run,
        run_name=run_name,
        push_to_hub=False,
        disable_tqdm=True,
        # Memory that is pinned for no accelerator only warns.
        dataloader_pin_memory=torch.cuda.is_available(),
        **_vllm_arguments(spec),
        **_importance_sampling(grpo),
    )


def _longest_wait(spec: Spec) -> int:
    judge = spec.judge.outage_limit_s + GATEWAY_AWAY_LIMIT_S
    policy = spec.policy.outage_limit_s if spec.grpo.rollout in ("served", "vllm_server") else 0
    return int(judge + policy)


def _importance_sampling(grpo: GrpoSpec) -> dict[str, Any]:
    if grpo.rollout in ("cached", "transformers"):
        return {}
    if grpo.importance_sampling == "none":
        return {"vllm_importance_sampling_correction": False}
    return {
        "vllm_importance_sampling_mode": grpo.importance_sampling,
        "vllm_importance_sampling_clip_max": grpo.importance_sampling_clip,
    }


def _reference(spec: Spec) -> dict[str, Any] | None:
    pinned = spec.policy.revision is not None and spec.grpo.beta > 0 and spec.grpo.lora is None
    return {"revision": spec.policy.revision} if pinned else None


def batch_sizes(grpo: GrpoSpec, *, world_size: int, fitting: int | None = None) -> tuple[int, int]:
    """Return completions in one pass of one rank, and passes in a step.

    Without `grpo.micro_batch_size` it is `fitting`, and without that a rank's whole share in one pass.
    """
    completions = grpo.prompts_per_step * grpo.num_generations
    if completions % world_size != 0:
        raise BadRequest(
            "grpo.processes",
            f"Expected grpo.processes to divide the {completions} completions of a step, got {world_size}",
        )
    local = completions // world_size
    micro_batch = grpo.micro_batch_size or fitting or local
    if local % micro_batch != 0:
        raise BadRequest(
            "grpo.micro_batch_size",
            f"Expected grpo.micro_batch_size to divide {local}, a rank's share of a step, got {micro_batch}",
        )
    return micro_batch, local // micro_batch


def refuse_without_gpu(grpo: GrpoSpec) -> None:
    """Raise BadRequest where torch finds no GPU: TRL cannot push weights into a vLLM on the CPU."""
    if not torch.cuda.is_available():
        raise BadRequest(
            "grpo.rollout",
            f"Expected a GPU, from which TRL pushes weights into vLLM, for grpo.rollout {grpo.rollout}; "
            "torch finds none. Use cached",
        )


def _vllm_arguments(spec: Spec) -> dict[str, Any]:
    grpo, serve = spec.grpo, spec.policy.serve
    if grpo.rollout not in ("vllm_colocate", "vllm_server"):
        return {}
    refuse_without_gpu(grpo)
    arguments: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": "server" if grpo.rollout == "vllm_server" else "colocate",
        # vLLM's name for them; the ids that it returns hold the text too.
        "generation_kwargs": {"stop": list(grpo.stop)} if grpo.stop else None,
    }
    if grpo.rollout == "vllm_colocate":
        # A server has these on its command line.
        arguments["vllm_max_model_length"] = serve.max_model_len
        if serve.gpu_memory_utilization is not None:
            arguments["vllm_gpu_memory_utilization"] = serve.gpu_memory_utilization
    return arguments
