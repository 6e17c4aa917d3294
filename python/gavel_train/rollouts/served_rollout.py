"""Steps whose completions come from servers: the adapter is published, and what it samples is journaled."""

from __future__ import annotations

import copy
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gavel_train.contracts import JournalEntry, PromptRow
from gavel_train.judging.desk import RewardDesk
from gavel_train.rollouts.adapters import read_adapter, save_adapter
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.journal import Journal, Place
from gavel_train.rollouts.pending_step import JournaledStep, PendingStep
from gavel_train.rollouts.prompts import Prompt, tokenize
from gavel_train.rollouts.served import ServedEngine
from gavel_train.rollouts.trl_adapter import EngineRollout, StepPrompts, decoder
from gavel_train.run.lifetime import rank
from gavel_train.run.outcome import PolicyAway
from gavel_train.run.ranks import any_rank


@dataclass(frozen=True)
class ServedSteps:
    """What the steps of a run are, for a rollout that begins one before TRL asks for it.

    `prompts_of` gives the prompts of a step, each once, in order; `prune` is told of each commit; `seed` is
    the run's.
    """

    epoch: int
    last: int
    seed: int
    num_generations: int
    max_staleness: int
    prompts_of: Callable[[int], list[Prompt]]
    prune: Callable[[int], None]


class ServedRollout(EngineRollout):
    """Publishes the adapter at each step, samples what the journal does not have, and looks ahead.

    With `max_staleness` 1, step k+1 is begun as soon as TRL asks for step k, with the adapter of that
    moment: it is sampled and judged while step k is judged and trained.
    """

    def __init__(
        self,
        rows: Mapping[str, PromptRow],
        desk: RewardDesk,
        sampling: Sampling,
        engine: ServedEngine,
        *,
        steps: ServedSteps,
        journal: Journal,
        journaled: dict[Place, JournalEntry],
        adapters: Path,
        mask_truncated: bool = False,
    ) -> None:
        super().__init__(rows, desk, sampling, lambda _: engine, mask_truncated=mask_truncated)
        self._served = engine
        self._steps = steps
        self._journal = journal
        self._journaled = journaled
        self._adapters = adapters
        self._begun: dict[int, PendingStep] = {}
        self._decode: Callable[[list[int]], str] | None = None
        # The first step of this attempt that the journal did not hold whole.
        self._sampled_anew: int | None = None

    def pending(self, trainer: Any, asked: StepPrompts) -> PendingStep:
        """Publish the adapter, begin what is not begun, and return the step that TRL asks for."""
        if self._decode is None:
            # A copy: TRL sets the padding of its own tokenizer while the sampling thread decodes.
            self._decode = decoder(copy.deepcopy(trainer.processing_class))
        self._publish(trainer, asked.step - 1)
        if asked.step not in self._begun:
            self._begin(trainer, asked)
        if self._steps.max_staleness > 0 and asked.step < self._steps.last:
            self._begin(trainer, self._following(trainer, asked))
        pending = self._begun.pop(asked.step)
        assert pending.journal is not None
        # Else completions would be trained on as answers to other prompts.
        pending.journal.check_rows(self.rows_of(asked.prompts))
        return pending

    def wait_for(self, trainer: Any, pending: PendingStep) -> list[Completion]:
        """Wait for the step's completions, and note how old the adapter was that sampled them.

        Where a rank's servers stay away, all ranks raise that together: one that raised alone would leave
        the others in a collective, and its own word would be lost.
        """
        completions: list[Completion] = []
        failed: Exception | None = None
        try:
            completions = pending.completions(lambda: self._served.away_s)
        except Exception as error:
            failed = error
        if any_rank(trainer, failed is not None):
            raise failed or PolicyAway("the policy's servers stayed away from another rank")
        assert pending.journal is not None
        ages = [pending.journal.age_of(one.index) for one in completions]
        self.figures["staleness"] = sum(ages) / max(1, len(ages))
        return completions

    def committed(self, step: int) -> None:
        """Begin another segment of the journal, and remove those that no attempt can need any more."""
        self._journal.begin_segment(step)
        if rank() == 0:
            self._steps.prune(step)

    def close(self) -> None:
        """Give up what was begun, and end the threads."""
        for pending in self._begun.values():
            pending.cancel()
        self._begun.clear()
        self._served.close()
        self._journal.close()
        if rank() == 0:
            shutil.rmtree(self._adapters, ignore_errors=True)

    def _publish(self, trainer: Any, step: int) -> None:
        epoch = self._steps.epoch
        if rank() == 0:
            model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
            save_adapter(model, self._adapters, step=step, epoch=epoch)
        trainer.accelerator.wait_for_everyone()
        adapter = read_adapter(self._adapters, step=step, epoch=epoch)
        self._served.publish(adapter, keep=self._steps.max_staleness)
        if rank() == 0:
            # No completion is sampled from these any more: the step that was has been trained.
            for folder in sorted(self._adapters.glob("policy-v*"))[: -1 - self._steps.max_staleness]:
                shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, trainer: Any, asked: StepPrompts) -> None:
        step, first_position, rows = asked.step, asked.first_position, self.rows_of(asked.prompts)
        journal = JournaledStep(
            self._journal, step, first_position, self._steps.num_generations, rows, self._served.adapter
        )
        known = journal.known(self._journaled, before_step=self._sampled_anew)
        left = sorted(set(range(len(rows))) - {one.index for one in known})
        # From here on the weights are others than those that the journal's later adapters had.
        if self._sampled_anew is None and any_rank(trainer, bool(left)):
            self._sampled_anew = step
        # With the epoch: an attempt that repeats a step must not draw again what the one before it has drawn.
        seed = zlib.crc32(f"{self._steps.seed}:{self._steps.epoch}:{step}:{rank()}".encode())
        stream = self._served.generate(
            [asked.prompt_ids[index] for index in left], replace(self._sampling, seed=seed)
        )
        assert self._decode is not None
        batch = self.desk.open(step, first_position, rows)
        self._begun[step] = PendingStep(stream, left, batch, self._decode, known=known, journal=journal)
        self._begun[step].start()

    def _following(self, trainer: Any, asked: StepPrompts) -> StepPrompts:
        step, first = asked.step + 1, asked.first_position
        each = [prompt for prompt in self._steps.prompts_of(step) for _ in range(self._steps.num_generations)]
        prompts = each[first : first + len(asked.prompts)]
        ids = tokenize(trainer.processing_class, prompts, trainer.chat_template_kwargs)
        return StepPrompts(step, first, prompts, ids)
