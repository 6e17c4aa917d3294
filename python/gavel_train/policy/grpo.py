"""GRPO: a judge rewards a policy's rollouts. `python -m gavel_train.policy.grpo EPOCH_DIR`.

TRL's GRPOTrainer, unforked. gavel adds, through TRL's own extension points, the rollout (EngineRollout),
the one reward, and the commits; leave-one-out advantages and parts normalised apart are subclasses. After
training, the first, middle and last checkpoint are sampled and the judge grades the audit rows.

Left out: several updates on one batch (num_iterations is 1, so that a checkpoint never falls into the
middle of one; the ratio that TRL's epsilon clips is then 1), evaluation during training (the
sampled checkpoints answer that), tools, images.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gavel_train.contracts import GrpoSpec, PromptRow, StageRequest
from gavel_train.fit.report import read_report
from gavel_train.run import lifetime, progress
from gavel_train.run.directory import checkpoint_name, read_prompts, resolve, run_dir_of
from gavel_train.run.outcome import BadRequest, run_stage


def main(request: StageRequest, epoch_dir: Path) -> None:
    """Train to the last step, from the given checkpoint or afresh, then sample, grade and publish."""
    grpo = request.spec.grpo
    progress.progress("load", 0, grpo.steps)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # Heavy imports wait until the process can say what it is doing.
    from gavel_train.judging.gateway import GatewayClient
    from gavel_train.policy.sample import sample_and_grade
    from gavel_train.run.checkpoints import read_manifest
    from gavel_train.run.gpus import refuse_unseen_gpus
    from gavel_train.tasks import verifier_of

    refuse_unseen_gpus()
    resume_from = resolve(request.root, request.resume_from) if request.resume_from else None
    done = 0
    if resume_from is not None:
        manifest = read_manifest(resume_from)
        done = manifest.step
        progress.resumed(manifest.name, done)
    client = GatewayClient.for_request(request)
    if done < grpo.steps:
        last = train(request, epoch_dir, client, resume_from)
    else:
        assert resume_from is not None
        last = resume_from.name
    sample_and_grade(request, epoch_dir, client, verifier_of(request.spec.task), last)


def train(request: StageRequest, epoch_dir: Path, client: Any, resume_from: Path | None) -> str:
    """Train up to the last step; return the name of the last checkpoint."""
    from gavel_train.policy.trackers import close_trackers, prepare_trackers
    from gavel_train.policy.trl_config import trl_config
    from gavel_train.policy.trl_imports import hide_vllm

    spec, grpo = request.spec, request.spec.grpo
    # Says no, where it must, before TRL's trainer is imported, and a vLLM perhaps with it.
    prepare_trackers(grpo, epoch_dir / "trackers")
    fit = read_report(run_dir_of(request))
    config = trl_config(
        spec,
        output_dir=clear_work(epoch_dir),
        run_name=f"{request.run}-{request.stage}-e{request.epoch}",
        fitting=fit.micro_batch_size if fit is not None else None,
    )
    if not config.use_vllm:
        hide_vllm()
    elif grpo.rollout == "vllm_server":
        from gavel_train.policy.vllm_server import use_server

        (server,) = request.policy_endpoints
        use_server(config, Path(server), away_limit_s=spec.policy.outage_limit_s)
    from datasets import Dataset
    from transformers import PrinterCallback, ProgressCallback, set_seed

    from gavel_train.judging.desk import RewardDesk
    from gavel_train.policy.choose_rollout import check_rollout, choose_rollout, correct_for_the_sampler
    from gavel_train.policy.commit_callback import GrpoCommits
    from gavel_train.policy.model import load_policy, load_tokenizer, lora_config
    from gavel_train.rollouts.prompts import as_prompt
    from gavel_train.rollouts.trl_adapter import CollectRewards
    from gavel_train.run.checkpoints import read_manifest
    from gavel_train.tasks import verifier_of

    tokenizer = load_tokenizer(request)
    order = prompt_order(read_prompts(run_dir_of(request), "train"), grpo)

    # Adapter weights are drawn from the global generator.
    set_seed(grpo.seed)
    policy = load_policy(request)
    desk = RewardDesk(client, spec, verifier_of(spec.task))
    done = read_manifest(resume_from).step if resume_from else 0
    rollout = choose_rollout(request, epoch_dir, tokenizer, order, desk, done=done)
    reward = CollectRewards(rollout)
    commits = GrpoCommits(request, rollout, parent=resume_from.name if resume_from else None)
    trainer = _trainer_for(grpo)(
        model=policy,
        args=config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": as_prompt(tokenizer, row)} for row in order]),
        reward_funcs=reward,
        rollout_func=rollout if grpo.rollout in ("cached", "served") else None,
        peft_config=lora_config(grpo.lora) if grpo.lora else None,
        callbacks=[commits],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    commits.trainer = reward.trainer = trainer
    check_rollout(request, trainer, order)
    if grpo.rollout == "served":
        correct_for_the_sampler(trainer)

    with lifetime.deferring_sigterm():
        try:
            trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        except lifetime.StopAtBoundary:
            commits.commit_boundary()
        finally:
            rollout.close()
            close_trackers(trainer)
    commits.raise_if_stopped()
    return checkpoint_name(grpo.steps, request.epoch)


def _trainer_for(grpo: GrpoSpec) -> Callable[..., Any]:
    """Return what makes TRL's trainer, with the advantages that the spec asks for."""
    if grpo.normalise == "apart":
        from gavel_train.policy.apart import ApartTrainer

        return partial(ApartTrainer, grpo=grpo)
    if grpo.advantage == "leave_one_out":
        from gavel_train.policy.leave_one_out import LeaveOneOutTrainer

        return LeaveOneOutTrainer
    from trl.trainer.grpo_trainer import GRPOTrainer

    return GRPOTrainer


def prompt_order(rows: list[PromptRow], grpo: GrpoSpec) -> list[PromptRow]:
    """Return the prompts of every step, in order: the training rows again and again, each pass reshuffled.

    The whole run is one pass over this list, so that a step's number alone says which prompts it has.
    TRL's own sampler draws a pass's order from a generator that no checkpoint holds.
    """
    if len(rows) < grpo.prompts_per_step:
        raise BadRequest(
            "task.train_prompts",
            f"Expected at least grpo.prompts_per_step = {grpo.prompts_per_step} prompts, found {len(rows)}",
        )
    rng = random.Random(f"grpo:{grpo.seed}")
    order: list[PromptRow] = []
    while len(order) < grpo.steps * grpo.prompts_per_step:
        # Whole steps only, so that no prompt is twice in one step.
        order += rng.sample(rows, len(rows) - len(rows) % grpo.prompts_per_step)
    return order[: grpo.steps * grpo.prompts_per_step]


def clear_work(epoch_dir: Path) -> Path:
    """Return an empty folder, in the epoch's own place, for TRL to save into."""
    work = epoch_dir / "work"
    if lifetime.rank() == 0:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    return work


if __name__ == "__main__":
    run_stage("grpo", main)
