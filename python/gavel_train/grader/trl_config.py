"""The spec's section `sft` in the words of TRL and PEFT."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig
from trl.trainer.sft_config import SFTConfig

from gavel_train.contracts import SftSpec

# Logits are the largest tensor of a step (0.6 MB a token at 150,000 words); they and their gradient then fit
# any GPU in use.
_LOGITS_BYTES = 4 * 2**30


def sft_config(spec: SftSpec, *, output_dir: Path, steps: int, micro_batch: int, ranks: int) -> SFTConfig:
    """Return TRL's arguments for `steps` optimizer steps over rows that are in order already."""
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(output_dir),
        max_steps=steps,
        per_device_train_batch_size=micro_batch,
        per_device_eval_batch_size=micro_batch,
        gradient_accumulation_steps=spec.batch_size // ranks // micro_batch,
        learning_rate=spec.learning_rate,
        lr_scheduler_type="cosine",
        # Adam's second moments are noise in the first steps.
        warmup_steps=min(steps // 10, 50),
        # training_order has applied the spec's strategy; sampling again would make the order depend on where
        # a run was resumed.
        train_sampling_strategy="sequential",
        # Without it transformers refuses bf16 on a machine without a GPU.
        use_cpu=not cuda,
        bf16=compute_dtype(spec) is torch.bfloat16,
        gradient_checkpointing=cuda,
        loss_type="nll",
        max_length=None,
        remove_unused_columns=False,
        # The commit callback alone says when to save.
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=cuda,
        seed=spec.seed,
    )


def lora_config(spec: SftSpec) -> LoraConfig:
    """Return the adapter's settings."""
    return LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=spec.lora.target_modules,
        task_type="CAUSAL_LM",
    )


def compute_dtype(spec: SftSpec) -> torch.dtype:
    """Return what the base is loaded and trained in; auto is bfloat16 on a GPU that computes in it."""
    if spec.dtype != "auto":
        return torch.bfloat16 if spec.dtype == "bfloat16" else torch.float32
    on_gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if on_gpu else torch.float32


def micro_batch_size(batch: int, longest: int, vocabulary: int) -> int:
    """The largest divisor of a rank's batch whose fp32 logits stay within _LOGITS_BYTES, at least 1."""
    fits = [
        n for n in range(1, batch + 1) if batch % n == 0 and n * longest * vocabulary * 4 <= _LOGITS_BYTES
    ]
    return max(fits, default=1)
