"""What a commit of GRPO holds besides the trainer's own files: the rollouts, and step 0."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from gavel_train.contracts import RolloutRecord, StageRequest
from gavel_train.policy.alarms import SamplerDrift
from gavel_train.policy.step_log import figures, rollouts_of_step, trl_figures
from gavel_train.rollouts.trl_adapter import EngineRollout
from gavel_train.run import progress
from gavel_train.run.checkpoints import ROLLOUTS, middle_step
from gavel_train.run.commits import CommitPlan, Commits
from gavel_train.run.directory import write_rows
from gavel_train.run.failpoints import failpoint
from gavel_train.run.random_state import RandomState, random_state, restore_random_state


class GrpoCommits(Commits):
    """Commits step 0 too, which the audit samples from; reports each step.

    Checkpoints fall only between optimizer steps, where no generated rollout waits for its update: one
    generation batch is exactly one step. What TRL saves (weights or adapter, optimizer, scheduler,
    random states of each rank, trainer state) is then all there is, together with the rollouts of every
    step since the previous commit.
    """

    def __init__(self, request: StageRequest, rollout: EngineRollout, *, parent: str | None) -> None:
        grpo = request.spec.grpo
        plan = CommitPlan(
            steps=grpo.steps,
            save_every=grpo.save_every,
            keep_newest=grpo.keep_checkpoints,
            keep_steps=frozenset({0, middle_step(grpo.steps, grpo.save_every), grpo.steps}),
            # Win rates within a group are half of its pairs, whatever the policy is worth.
            best_by="verifier_accuracy" if request.spec.judge.mode == "pairwise" else "reward",
        )
        super().__init__(request, plan, parent=parent)
        self._rollout = rollout
        self._records: list[RolloutRecord] = []
        self._step_records: list[RolloutRecord] = []
        self._step_started = time.monotonic()
        self._boundary: RandomState | None = None
        self._drift = SamplerDrift(grpo.drift_alarm)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Commit the initial policy."""
        if self.parent is None:
            self.save_and_commit()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the step's clock; keep what a commit of the boundary that lies here would need."""
        self._boundary = random_state()
        self._step_started = time.monotonic()

    def step_ended(self) -> None:
        """Keep the step's rollouts."""
        self._step_records = rollouts_of_step(self.trainer)
        self._records += self._step_records

    def add_files(self, work: Path) -> None:
        """Write the rollouts since the previous commit."""
        write_rows(work / ROLLOUTS, self._records[1:] if failpoint("drop-a-rollout") else self._records)

    def metrics_of_commit(self) -> Mapping[str, float | None]:
        """Return the figures of these rollouts."""
        return figures(self._records)

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
        of_trl = trl_figures(logs)
        progress.progress(
            "train",
            state.global_step,
            self._plan.steps,
            {
                **figures(self._step_records),
                **of_trl,
                **self._rollout.figures,
                "completion_tokens": tokens,
                "step_seconds": seconds,
                "tokens_per_s": tokens / seconds,
            },
        )
        self._step_records = []
        drift = self._drift.message_of(of_trl)
        if drift is not None:
            progress.alarm("sampler_drift", state.global_step, drift)

    def commit_boundary(self) -> None:
        """Commit the last step boundary after a step was given up in its rollout: nothing changed since."""
        self.preempted = True
        # Without a step begun there is nothing beyond what this process resumed from or has committed.
        committed = self.trainer.state.global_step == self._committed_step
        if self._boundary is None or committed or not self._records:
            return
        restore_random_state(self._boundary)
        self.save_and_commit()

    def _commit(self) -> None:
        super()._commit()
        self._records = []
        self._rollout.committed(self.trainer.state.global_step)
