"""TRL's SFTTrainer with what gavel adds: weights of examples, a fixed order, commits of checkpoints.

Shape suffixes: B examples, T tokens.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from gavel_train.contracts import StageRequest
from gavel_train.grader.examples import Example
from gavel_train.grader.resume import EXAMPLES
from gavel_train.run import progress
from gavel_train.run.checkpoints import commit_checkpoint
from gavel_train.run.lifetime import stop_requested

IGNORED = -100

# Batches whose examples are sorted by length together: enough for little padding, few enough to keep batches
# random.
_POOL_BATCHES = 16

# Progress lines per second; the worker throttles its heartbeats to about as many.
_PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True)
class Encoded:
    """Token ids of one example, the labels (IGNORED on what is given), and how much its loss counts."""

    input_ids: list[int]
    labels: list[int]
    loss_weight: float


def encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> Encoded:
    """Token ids exactly as a server sees them: prompt up to the generation prompt, reply, end of text.

    The reply follows the generation prompt directly and is tokenised by itself, as it will be generated. A
    whole conversation rendered by the template would not do: Qwen3's template puts an empty think block
    before a reply that it does not put into the generation prompt, so that the first token taught would
    never be the first one asked for.
    """
    rendered = tokenizer.apply_chat_template(example.messages, add_generation_prompt=True, tokenize=False)
    given = tokenizer(str(rendered), add_special_tokens=False)["input_ids"]
    reply = tokenizer(example.reply, add_special_tokens=False)["input_ids"]
    taught = [*reply, tokenizer.eos_token_id]
    return Encoded([*given, *taught], [IGNORED] * len(given) + taught, example.weight)


def training_order(lengths: Sequence[int], batch_size: int, epochs: float, seed: int) -> list[int]:
    """Indices for a whole training, a multiple of batch_size long: batches of like length in random order.

    It is fixed before the first step, so a resumed run skips exactly what was done.
    """
    rng = random.Random(seed)
    wanted = max(1, round(epochs * len(lengths) / batch_size)) * batch_size
    drawn: list[int] = []
    while len(drawn) < wanted:
        drawn.extend(rng.sample(range(len(lengths)), len(lengths)))
    del drawn[wanted:]
    order: list[int] = []
    for start in range(0, wanted, _POOL_BATCHES * batch_size):
        pool = sorted(
            drawn[start : start + _POOL_BATCHES * batch_size], key=lambda index: (lengths[index], index)
        )
        batches = [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        rng.shuffle(batches)
        order.extend(index for batch in batches for index in batch)
    return order


def dataset_of(rows: Sequence[Encoded], order: Sequence[int] | None = None) -> Dataset:
    """An in-memory data set of the rows, in an order that may repeat them."""
    dataset = Dataset.from_list([vars(row) for row in rows])
    return dataset if order is None else dataset.select(list(order))


class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, which also carries the weight of each example."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Pad a batch and add loss_weight, [B]."""
        batch = super().torch_call(examples)
        batch["loss_weight"] = torch.tensor([example["loss_weight"] for example in examples])
        return batch


class GraderTrainer(SFTTrainer):
    """SFTTrainer whose loss is the weighted mean over examples of the mean loss of each reply.

    The usual mean over tokens would drown a one-digit reply among the tokens of reasoned ones.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, compute_loss_func=self._weighted_loss, **kwargs)
        self._loss_weight_B = torch.empty(0)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Set the weights aside: neither the model nor TRL's metrics know the column."""
        self._loss_weight_B = inputs.pop("loss_weight")
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _weighted_loss(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        logits_BTV, labels_BT = outputs.logits[:, :-1].float(), labels[:, 1:]
        taught_BT = labels_BT != IGNORED
        loss_BT = torch.nn.functional.cross_entropy(
            logits_BTV.transpose(1, 2), labels_BT, ignore_index=IGNORED, reduction="none"
        )
        loss_B = loss_BT.sum(1) / taught_BT.sum(1).clamp(min=1)
        loss = (loss_B * self._loss_weight_B).sum()
        # The Trainer multiplies this by the number of ranks; in training it then sums micro-batches and
        # averages over ranks, in evaluation it averages over examples.
        counted = len(loss_B)
        if self.model is not None and self.model.training:
            counted = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return loss / (counted * self.args.world_size)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: gavel writes the grader's card, once and with figures."""


class CommitAndReport(TrainerCallback):
    """Commits what the Trainer saves, says how the training goes, and stops at a step boundary on request."""

    def __init__(self, request: StageRequest, resume_from: str | None, record: str) -> None:
        self.request = request
        self.resume_from = resume_from
        self.record = record
        self.parent = None if resume_from is None else Path(resume_from).name
        self.metrics: dict[str, float | None] = {}
        self.preempted = False
        self._said_at = 0.0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Turn the Trainer's log of a step into a progress line."""
        if not logs or "loss" not in logs:
            return
        self.metrics = {"loss": float(logs["loss"]), "learning_rate": float(logs["learning_rate"])}
        if "mean_token_accuracy" in logs:
            self.metrics["token_accuracy"] = float(logs["mean_token_accuracy"])
        now = time.monotonic()
        if now - self._said_at >= _PROGRESS_EVERY_S or state.global_step >= state.max_steps:
            self._said_at = now
            progress.progress("train", state.global_step, state.max_steps, self.metrics)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """On SIGTERM to any rank: save and stop here, all of them."""
        stop = torch.tensor(float(stop_requested()))
        if torch.distributed.is_initialized():
            stop = stop.to(args.device)
            torch.distributed.all_reduce(stop)
        if stop > 0 and state.global_step < state.max_steps:
            self.preempted = control.should_save = control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Commit the folder that the Trainer has just written; every rank must have written its part."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            work = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            # A pickle of the arguments: full of this machine's paths, and of no use to resume.
            (work / "training_args.bin").unlink(missing_ok=True)
            (work / EXAMPLES).write_text(self.record, encoding="utf-8")
            manifest = commit_checkpoint(
                self.request, work, step=state.global_step, parent=self.parent, metrics=self.metrics
            )
            self.parent = manifest.name
            progress.commit(manifest.name, state.global_step, self.metrics)
