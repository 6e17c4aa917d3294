"""The commit protocol of every trainer: transformers saves into the epoch's own place, and this commits it.

At each boundary between two optimizer steps rank 0 looks for a newer epoch, all ranks agree on whether to
stop, and a checkpoint is saved where one is due. A commit is: files, manifest, HEAD (checkpoints.py), then
the progress line, then pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from gavel_train.contracts import StageRequest
from gavel_train.run import lifetime, progress
from gavel_train.run.checkpoints import chain_names, commit_checkpoint
from gavel_train.run.directory import check_newest, run_dir_of
from gavel_train.run.pruning import Pruning
from gavel_train.run.ranks import any_rank


@dataclass(frozen=True)
class CommitPlan:
    """At which steps a trainer commits, and which of its checkpoints stay whole.

    `keep_newest` of them do, those of `keep_steps`, and, if `best_by` names a metric, the one where it is
    highest.
    """

    steps: int
    save_every: int
    keep_newest: int
    keep_steps: frozenset[int]
    best_by: str | None = None


class Commits(TrainerCallback):
    """Commits every `save_every` steps, the last step, and the boundary at which the trainer is stopped.

    A subclass says what else belongs to a checkpoint. `trainer` is set once there is one, since a callback
    is made before its trainer.
    """

    def __init__(self, request: StageRequest, plan: CommitPlan, *, parent: str | None) -> None:
        self.trainer: Any = None
        self.parent = parent
        self.preempted = False
        self._request = request
        self._plan = plan
        self._committed_step = -1
        self._pruning = Pruning(
            self._stage_dir / "checkpoints",
            # Never the newest alone: should it turn out damaged, the run falls back to its parent.
            keep_newest=max(2, plan.keep_newest),
            keep_steps=plan.keep_steps,
            best_by=plan.best_by,
        )

    def step_ended(self) -> None:
        """Keep what a step has left, before it is decided whether to save."""

    def add_files(self, work: Path) -> None:
        """Write into a saved checkpoint what the trainer does not save itself; rank 0 only."""

    def metrics_of_commit(self) -> Mapping[str, float | None]:
        """Return the figures that the manifest keeps."""
        return {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask for a checkpoint where one is due or SIGTERM has arrived; raises Superseded."""
        if lifetime.rank() == 0:
            # Another attempt has taken over: not one more step on GPUs that it needs.
            check_newest(self._stage_dir, self._request.epoch)
        self.step_ended()
        step, last = state.global_step, state.global_step >= self._plan.steps
        # All ranks stop at the same step: one that went on alone would wait for the others for ever.
        if not last and any_rank(self.trainer, lifetime.stop_requested()):
            self.preempted = control.should_training_stop = True
        control.should_save = self.preempted or last or step % self._plan.save_every == 0
        if control.should_save:
            # Large weights take longer to write than a step takes: the deadline of steps is not theirs.
            progress.progress("save", step, self._plan.steps)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Commit what the trainer has just saved."""
        self._commit()

    def save_and_commit(self) -> None:
        """Save and commit the state as it is now, outside of the trainer's own schedule."""
        self.trainer._save_checkpoint(self.trainer.model, None)
        self._commit()

    def raise_if_stopped(self) -> None:
        """Raise Preempted on every rank where the training was stopped, or a notice came in its last step.

        Such a step is committed; what comes after training waits for the next attempt.
        """
        if self.preempted or any_rank(self.trainer, lifetime.stop_requested()):
            raise lifetime.Preempted

    @property
    def _stage_dir(self) -> Path:
        return run_dir_of(self._request) / self._request.stage

    def _commit(self) -> None:
        # Every rank has to have written its random state before rank 0 counts the files, and none may go on
        # into a state that would not be committed.
        self.trainer.accelerator.wait_for_everyone()
        step = self.trainer.state.global_step
        if lifetime.rank() == 0:
            self._commit_alone(Path(self.trainer.args.output_dir) / f"checkpoint-{step}", step)
        self._committed_step = step
        self.trainer.accelerator.wait_for_everyone()

    def _commit_alone(self, work: Path, step: int) -> None:
        # A pickle of the arguments, of no use to resume and full of this machine's paths.
        (work / "training_args.bin").unlink(missing_ok=True)
        self.add_files(work)
        metrics = self.metrics_of_commit()
        manifest = commit_checkpoint(self._request, work, step=step, parent=self.parent, metrics=metrics)
        self.parent = manifest.name
        progress.commit(manifest.name, step, metrics)
        # A process that was stopped right here may wake up after a newer epoch has resumed from one of these.
        check_newest(self._stage_dir, self._request.epoch)
        self._pruning.after(manifest, lambda: chain_names(self._request))
