"""What a commit of SFT holds besides the trainer's own files: which examples its step counts through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from gavel_train.contracts import StageRequest
from gavel_train.grader.resume import EXAMPLES
from gavel_train.run import progress
from gavel_train.run.commits import CommitPlan, Commits

# The worker throttles its heartbeats to about as many.
_PROGRESS_EVERY_S = 0.5


class SftCommits(Commits):
    """Commits with the record of the examples (see resume.py); reports how the training goes."""

    def __init__(self, request: StageRequest, *, steps: int, resume_from: str | None, record: str) -> None:
        sft = request.spec.sft
        plan = CommitPlan(
            steps=steps,
            save_every=sft.save_every,
            keep_newest=sft.keep_checkpoints,
            keep_steps=frozenset({steps}),
        )
        super().__init__(request, plan, parent=None if resume_from is None else Path(resume_from).name)
        self.resume_from = resume_from
        self.metrics: dict[str, float | None] = {}
        self._record = record
        self._said_at = 0.0

    def add_files(self, work: Path) -> None:
        """Write the record of the examples."""
        (work / EXAMPLES).write_text(self._record, encoding="utf-8")

    def metrics_of_commit(self) -> Mapping[str, float | None]:
        """Return the figures of the last step."""
        return self.metrics

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Turn the trainer's log of a step into a progress line."""
        if not logs or "loss" not in logs:
            return
        self.metrics = {"loss": float(logs["loss"]), "learning_rate": float(logs["learning_rate"])}
        if "mean_token_accuracy" in logs:
            self.metrics["token_accuracy"] = float(logs["mean_token_accuracy"])
        now = time.monotonic()
        if now - self._said_at >= _PROGRESS_EVERY_S or state.global_step >= state.max_steps:
            self._said_at = now
            progress.progress("train", state.global_step, state.max_steps, self.metrics)
