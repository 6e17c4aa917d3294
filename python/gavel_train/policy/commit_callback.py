"""The trainer's checkpoint callback: TRL saves into the epoch's own place, and this commits it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from gavel_train.contracts import RolloutRecord, StageRequest
from gavel_train.policy.step_log import figures, rollouts_of_step, trl_figures
from gavel_train.rollouts.cached import CachedRollout
from gavel_train.run import lifetime, progress
from gavel_train.run.checkpoints import ROLLOUTS, chain_of, commit_checkpoint, middle_step, prune
from gavel_train.run.directory import check_newest, run_dir_of, write_rows
from gavel_train.run.failpoints import failpoint
from gavel_train.run.random_state import RandomState, random_state, restore_random_state
from gavel_train.run.ranks import any_rank


class CommitCallback(TrainerCallback):
    """Commits step 0, every `save_every` steps and the last step; reports each step.

    Checkpoints fall only between optimizer steps, where no generated rollout waits for its update: one
    generation batch is exactly one step. What TRL saves (weights or adapter, optimizer, scheduler,
    random states of each rank, trainer state) is then all there is, together with the rollouts of every
    step since the previous commit.
    """

    def __init__(self, request: StageRequest, rollout: CachedRollout, *, parent: str | None) -> None:
        self.trainer: Any = None
        self.parent = parent
        self.preempted = False
        self._request = request
        self._rollout = rollout
        self._records: list[RolloutRecord] = []
        self._step_records: list[RolloutRecord] = []
        self._step_started = time.monotonic()
        self._boundary: RandomState | None = None
        self._committed_step = -1

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Commit the initial policy, which the audit samples from."""
        if self.parent is None:
            self.trainer._save_checkpoint(self.trainer.model, None)
            self._commit(args, state)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the step's clock; keep what a commit of the boundary that lies here would need."""
        self._boundary = random_state()
        self._step_started = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Keep the step's rollouts; ask for a checkpoint where one is due or SIGTERM has arrived."""
        if lifetime.rank() == 0:
            # Another attempt has taken over: not one more step on GPUs that it needs.
            check_newest(run_dir_of(self._request) / self._request.stage, self._request.epoch)
        self._step_records = rollouts_of_step(self.trainer)
        self._records += self._step_records
        grpo = self._request.spec.grpo
        # All ranks stop at the same step: one that went on alone would wait for the others for ever.
        if state.global_step < grpo.steps and any_rank(self.trainer, lifetime.stop_requested()):
            self.preempted = True
            control.should_training_stop = True
        control.should_save = (
            self.preempted or state.global_step % grpo.save_every == 0 or state.global_step >= grpo.steps
        )
        if control.should_save:
            # Large weights take longer to write than a step takes: the deadline of steps is not theirs.
            progress.progress("save", state.global_step, grpo.steps)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Report the step."""
        if not self._step_records:
            # The summary at the end of training, which belongs to no step.
            return
        logs = kwargs["logs"]
        seconds = time.monotonic() - self._step_started
        tokens = float(logs.get("completions/mean_length", 0.0)) * len(self._step_records)
        progress.progress(
            "train",
            state.global_step,
            self._request.spec.grpo.steps,
            {
                **figures(self._step_records),
                **trl_figures(logs),
                **self._rollout.seconds,
                "completion_tokens": tokens,
                "step_seconds": seconds,
                "tokens_per_s": tokens / seconds,
            },
        )
        self._step_records = []

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Commit what TRL has just saved."""
        self._commit(args, state)

    def commit_boundary(self) -> None:
        """Commit the last step boundary after a step was given up in its rollout: nothing changed since."""
        self.preempted = True
        state = self.trainer.state
        # Without a step begun there is nothing beyond what this process resumed from or has committed.
        if self._boundary is None or state.global_step == self._committed_step or not self._records:
            return
        restore_random_state(self._boundary)
        self.trainer._save_checkpoint(self.trainer.model, None)
        self._commit(self.trainer.args, state)

    def _commit(self, args: TrainingArguments, state: TrainerState) -> None:
        # Every rank has to have written its random state before rank 0 counts the files, and none may go on
        # into a state that would not be committed.
        self.trainer.accelerator.wait_for_everyone()
        if lifetime.rank() == 0:
            self._commit_alone(
                Path(args.output_dir or ".") / f"checkpoint-{state.global_step}", state.global_step
            )
        self._committed_step = state.global_step
        self._records = []
        self.trainer.accelerator.wait_for_everyone()

    def _commit_alone(self, work: Path, step: int) -> None:
        grpo = self._request.spec.grpo
        # A pickle of the arguments, of no use to resume and full of this machine's paths.
        (work / "training_args.bin").unlink(missing_ok=True)
        write_rows(work / ROLLOUTS, self._records[1:] if failpoint("drop-a-rollout") else self._records)
        metrics = figures(self._records)
        manifest = commit_checkpoint(self._request, work, step=step, parent=self.parent, metrics=metrics)
        self.parent = manifest.name
        progress.commit(manifest.name, step, metrics)
        checkpoints = run_dir_of(self._request) / self._request.stage / "checkpoints"
        # A process that was stopped right here may wake up after a newer epoch has resumed from one of these.
        check_newest(checkpoints.parent, self._request.epoch)
        prune(
            checkpoints,
            chain_of(checkpoints, manifest.name),
            # Never the newest alone: should it turn out damaged, the run falls back to its parent.
            keep_newest=max(2, grpo.keep_checkpoints),
            keep_steps={0, middle_step(grpo.steps, grpo.save_every), grpo.steps},
        )
