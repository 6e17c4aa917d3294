"""`sft`: non-padding tokens per second of stock TRL's SFTTrainer and of the trainer of stage `sft`.

All sides train the same LoRA on the same rows, once through, in the same number of equal batches.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from figures.figure import Figure, compare, interleaved
from figures.models import END, MODELS
from figures.stock import tokenizer
from gavel_train.contracts import SftSpec
from gavel_train.grader.trainer import (
    IGNORED,
    Encoded,
    GraderTrainer,
    WeightedCollator,
    dataset_of,
    training_order,
)
from gavel_train.grader.trl_config import lora_config, sft_config

# Model, dtype, steps of a full figure.
CELLS = [("0.8M", "float32", 24), ("25M", "float32", 8), ("25M", "bfloat16", 8), ("135M", "bfloat16", 4)]
_QUICK_STEPS = 4
_BATCH = 16
# Prompts with the completion that is judged, and the judge's reasoning: short and long ones alike.
_PROMPTS, _REPLIES = (48, 400), (16, 96)
_TARGET = 1.0


def measure(
    *, models: Iterable[str], quick: bool, repeats: int, say: Callable[[str], None]
) -> Iterator[Figure]:
    """Yield a figure per model and dtype; `say` gets each as a line when it is there."""
    for name, dtype, steps in CELLS:
        if name not in models:
            continue
        sides, padding = _sides(name, dtype, _QUICK_STEPS if quick else steps)
        speeds = interleaved(sides, repeats)
        shares = ", ".join(f"{side} {share:.0%}" for side, share in padding.items())
        shape = f"{name} {dtype}; padding: {shares}"
        figure = compare("sft", shape, speeds, ours="gavel", target=_TARGET)
        say(f"{figure.shape}: {figure.sides} tokens/s, ratio {figure.ratio}")
        yield figure


def rows_of(count: int, vocabulary: int) -> list[Encoded]:
    """Return rows of random tokens: every other reply is a digit and its end, the others are reasoned."""
    rng = random.Random(1)

    def tokens(length: int) -> list[int]:
        return [rng.randrange(2, vocabulary) for _ in range(length)]

    rows = []
    for index in range(count):
        given = tokens(rng.randint(*_PROMPTS))
        taught = [*tokens(1 if index % 2 else rng.randint(*_REPLIES)), END]
        rows.append(Encoded(given + taught, [IGNORED] * len(given) + taught, 1.0))
    return rows


class _Counted:
    """A collator that counts tokens and padding."""

    def __init__(self, collator: Any) -> None:
        self.collator, self.tokens, self.slots = collator, 0, 0

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = self.collator(examples)
        self.tokens += int(batch["attention_mask"].sum())
        self.slots += batch["attention_mask"].numel()
        return batch


class _Clock(TrainerCallback):
    """Measures a training without what builds the trainer."""

    def __init__(self) -> None:
        self.began, self.seconds = 0.0, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began = time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.seconds = time.perf_counter() - self.began


def _sides(name: str, dtype: str, steps: int) -> tuple[dict[str, Callable[[int], float]], dict[str, float]]:
    spec = SftSpec.model_validate({"dtype": dtype, "batch_size": _BATCH, "epochs": 1})
    vocabulary = MODELS[name]().config.vocab_size
    rows = rows_of(steps * _BATCH, vocabulary)
    sides: dict[str, Callable[[int], float]] = {}
    padding: dict[str, float] = {}
    for side, (make, options) in _MAKERS.items():
        model = MODELS[name]().to(getattr(torch, dtype))
        made, clock = _Counted(None), _Clock()
        trainer = make(model, spec, rows, steps, made, tokenizer(vocabulary), **options)
        trainer.add_callback(clock)
        trainer.remove_callback(PrinterCallback)

        # Names are bound here, since each side has its own.
        def once(seed: int, trainer: Any = trainer, made: _Counted = made, clock: _Clock = clock) -> float:
            made.tokens = made.slots = 0
            torch.manual_seed(seed)
            trainer.train()
            return made.tokens / clock.seconds

        # The first call pays for what later ones find made.
        once(0)
        padding[side] = 1 - made.tokens / made.slots
        sides[side] = once
    return sides, padding


def _gavel(
    model: Any, spec: SftSpec, rows: list[Encoded], steps: int, made: _Counted, words: Any
) -> SFTTrainer:
    made.collator = WeightedCollator(pad_token_id=0)
    order = training_order([len(row.input_ids) for row in rows], _BATCH, spec.epochs, spec.seed)
    return GraderTrainer(
        model=model,
        args=sft_config(spec, output_dir=_folder(), steps=steps, micro_batch=_BATCH, ranks=1),
        train_dataset=dataset_of(rows, order),
        data_collator=made,
        processing_class=words,
        peft_config=lora_config(spec),
    )


def _stock(
    model: Any,
    spec: SftSpec,
    rows: list[Encoded],
    steps: int,
    made: _Counted,
    words: Any,
    *,
    checkpointing: bool,
    strategy: str,
) -> SFTTrainer:
    made.collator = DataCollatorForLanguageModeling(pad_token_id=0)
    return SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(_folder()),
            max_steps=steps,
            per_device_train_batch_size=_BATCH,
            learning_rate=spec.learning_rate,
            gradient_checkpointing=checkpointing,
            train_sampling_strategy=strategy,
            use_cpu=True,
            bf16=spec.dtype == "bfloat16",
            disable_tqdm=True,
            report_to="none",
            save_strategy="no",
            dataloader_pin_memory=False,
        ),
        train_dataset=dataset_of(rows).remove_columns("loss_weight"),
        data_collator=made,
        processing_class=words,
        peft_config=LoraConfig(
            r=spec.lora.r,
            lora_alpha=spec.lora.alpha,
            target_modules=spec.lora.target_modules,
            task_type="CAUSAL_LM",
        ),
    )


_MAKERS: dict[str, tuple[Callable[..., SFTTrainer], dict[str, Any]]] = {
    # TRL's defaults for what the rows, the model and the batch do not say.
    "stock": (_stock, {"checkpointing": True, "strategy": "random"}),
    # The fastest that its settings reach here.
    "stock, by length, no checkpointing": (_stock, {"checkpointing": False, "strategy": "group_by_length"}),
    "gavel": (_gavel, {}),
}


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="gavel-bench-"))
