"""Stage `sft`: distils the judge's traces into a small grader, by LoRA through TRL's SFTTrainer.

    ledger -> traces, kept -> examples (one a mode) -> LoRA, loss on the reply alone -> grader/ (adapter,
    merged weights, card)

Left out: full fine-tuning, since a grader is small; and packing, since it needs flash attention to keep
examples apart, where batches of like length are nearly free of padding on any machine.
"""

import importlib.util
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
    set_seed,
)

from gavel_train.contracts import LocatedModel, SftSpec, StageRequest
from gavel_train.grader.commit_callback import SftCommits
from gavel_train.grader.examples import Example, Examples, examples_of
from gavel_train.grader.folder import write_grader
from gavel_train.grader.resume import Kept, checkpoint_of_examples, examples_record, traces_of_training
from gavel_train.grader.trainer import (
    Encoded,
    GraderTrainer,
    WeightedCollator,
    dataset_of,
    encode,
    training_order,
)
from gavel_train.grader.trl_config import compute_dtype, lora_config, micro_batch_size, sft_config
from gavel_train.run import progress
from gavel_train.run.directory import publish_result
from gavel_train.run.gpus import local_rank, refuse_unseen_gpus
from gavel_train.run.lifetime import deferring_sigterm, rank
from gavel_train.run.outcome import BadRequest, run_stage


def main(request: StageRequest, epoch_dir: Path) -> None:
    """Train the grader of a run, or go on from its last checkpoint, and publish it."""
    spec = request.spec.sft
    refuse_unseen_gpus()
    _check_qlora(spec)
    progress.progress("load", 0, 1)
    kept = traces_of_training(request, epoch_dir)
    examples = examples_of(kept.distilled, spec)
    base = request.models.base
    tokenizer = load_tokenizer(base)
    trainer, commits, held = build_trainer(request, epoch_dir, base, tokenizer, examples, kept)
    progress.progress("load", 1, 1, {"examples": len(examples.train), "prompts": examples.prompts})

    if commits.resume_from is not None:
        progress.resumed(Path(commits.resume_from).name, _step_of(commits.resume_from))
    with deferring_sigterm():
        trainer.train(resume_from_checkpoint=commits.resume_from)
    commits.raise_if_stopped()

    metrics = commits.metrics | _holdout_metrics(trainer, held)
    if rank() != 0:
        return
    progress.progress("train", trainer.state.global_step, trainer.state.max_steps, metrics)
    grader = write_grader(
        request,
        epoch_dir,
        base=base,
        model=trainer.accelerator.unwrap_model(trainer.model),
        tokenizer=tokenizer,
        examples=examples,
        metrics=metrics,
    )
    publish_result(
        request,
        step=trainer.state.global_step,
        checkpoint=commits.parent,
        metrics=metrics
        | {
            "examples": len(examples.train),
            "traces": examples.traces,
            "distributions": examples.distributions,
            "verified": examples.verified,
            "contradicted": examples.contradicted,
            "dropped": examples.dropped,
        },
        artifacts={"grader": grader},
    )


def build_trainer(
    request: StageRequest,
    epoch_dir: Path,
    base: LocatedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    kept: Kept,
) -> tuple[GraderTrainer, SftCommits, dict[str, list[Encoded]]]:
    """The trainer, its commit callback, and the encoded held-out examples of each mode."""
    spec = request.spec.sft
    encoded = partial(_encode_all, tokenizer, spec.max_length, request.spec.grader.chat_template_kwargs)
    train = encoded(examples.train)
    if not train:
        raise BadRequest(
            "sft.max_length",
            f"Expected examples of at most {spec.max_length} tokens, found none of {len(examples.train)}.",
        )
    held = {
        mode: encoded([example for example in examples.holdout if example.mode == mode])
        for mode in spec.modes
    }
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if spec.batch_size % world:
        raise BadRequest(
            "sft.batch_size", f"Expected a multiple of the {world} ranks, found {spec.batch_size}."
        )
    # TRL makes the adapter before its Trainer sets the seed.
    set_seed(spec.seed)
    order = training_order(
        [len(row.input_ids) for row in train],
        spec.batch_size,
        spec.epochs,
        spec.seed,
        strategy=spec.train_sampling_strategy,
    )
    model = _load_model(base, spec)
    longest = max(len(row.input_ids) for row in train)
    micro = micro_batch_size(spec.batch_size // world, longest, model.config.get_text_config().vocab_size)
    steps = len(order) // spec.batch_size
    record = examples_record(train, order, kept)
    commits = SftCommits(
        request, steps=steps, resume_from=checkpoint_of_examples(request.resume_from, record), record=record
    )
    arguments = sft_config(
        spec, output_dir=epoch_dir / "trainer", steps=steps, micro_batch=micro, ranks=world
    )
    trainer = GraderTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset_of(train, order),
        data_collator=WeightedCollator(pad_token_id=_pad_id(tokenizer)),
        processing_class=tokenizer,
        peft_config=lora_config(spec),
        callbacks=[commits],
    )
    commits.trainer = trainer
    return trainer, commits, held


def load_tokenizer(base: LocatedModel) -> PreTrainedTokenizerBase:
    """The base's tokenizer; it must have a chat template and an end of text."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.path, revision=base.revision)
    except (OSError, ValueError) as error:
        raise BadRequest(
            "base.model", f"Expected a model folder or hub name, found none at {base.path}: {error}"
        ) from error
    if tokenizer.chat_template is None or tokenizer.eos_token_id is None:
        raise BadRequest(
            "base.model",
            f"Expected a tokenizer with a chat template and an end-of-text token at {base.path}, found none.",
        )
    return tokenizer


def _encode_all(
    tokenizer: PreTrainedTokenizerBase, max_length: int, template: Mapping[str, Any], examples: list[Example]
) -> list[Encoded]:
    """Encode; an example that is too long is left out whole, since its end is what it teaches."""
    encoded = [encode(tokenizer, example, template) for example in examples]
    return [row for row in encoded if len(row.input_ids) <= max_length]


def _load_model(base: LocatedModel, spec: SftSpec) -> Any:
    quantized: dict[str, Any] = {}
    if spec.qlora:
        quantized["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
        # 4-bit weights cannot be moved after they are loaded, and no rank has chosen its GPU yet: left open,
        # transformers loads those of every rank onto the first one.
        quantized["device_map"] = {"": local_rank()}
    return AutoModelForCausalLM.from_pretrained(
        base.path, revision=base.revision, dtype=compute_dtype(spec), **quantized
    )


def _check_qlora(spec: SftSpec) -> None:
    if not spec.qlora:
        return
    missing = [] if torch.cuda.is_available() else ["a CUDA GPU"]
    if importlib.util.find_spec("bitsandbytes") is None:
        missing.append("the package bitsandbytes")
    if missing:
        raise BadRequest(
            "sft.qlora", f"QLoRA needs {' and '.join(missing)}, found none: set sft.qlora to false."
        )


def _holdout_metrics(trainer: GraderTrainer, held: dict[str, list[Encoded]]) -> dict[str, float | None]:
    metrics: dict[str, float | None] = {}
    for mode, rows in held.items():
        if rows:
            found = trainer.evaluate(eval_dataset=dataset_of(rows), metric_key_prefix="eval")
            metrics[f"holdout_loss_{mode}"] = found["eval_loss"]
            metrics[f"holdout_token_accuracy_{mode}"] = found.get("eval_mean_token_accuracy")
    losses = [
        value for name, value in metrics.items() if name.startswith("holdout_loss") and value is not None
    ]
    return metrics | {"holdout_loss": sum(losses) / len(losses) if losses else None}


def _pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    assert isinstance(pad, int)
    return pad


def _step_of(checkpoint: str) -> int:
    return int(Path(checkpoint).name.removeprefix("step-").split(".")[0])


if __name__ == "__main__":
    run_stage("sft", main)
