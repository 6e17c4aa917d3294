"""Loading the policy: tokenizer, weights, and the adapter of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from gavel_train.contracts import LoraSpec, StageRequest
from gavel_train.run.gpus import local_rank
from gavel_train.run.outcome import BadRequest


def load_tokenizer(request: StageRequest) -> PreTrainedTokenizerBase:
    """Load the policy's tokenizer, with a padding token and padding on the left."""
    policy = request.models.policy
    try:
        tokenizer = AutoTokenizer.from_pretrained(policy.path, revision=policy.revision, padding_side="left")
    except (OSError, ValueError) as error:
        raise BadRequest("policy.model", f"policy.model: no tokenizer in {policy.path}: {error}") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_policy(request: StageRequest) -> Any:
    """Load the policy's own weights.

    They are float32 unless an adapter is trained on top: AdamW's small updates vanish in bfloat16
    weights, so full training keeps float32 ones and computes in bfloat16 by autocast.
    """
    grpo = request.spec.grpo
    dtype = torch.bfloat16 if grpo.dtype == "bfloat16" and grpo.lora is not None else torch.float32
    return _load(request, dtype)


def load_checkpoint(request: StageRequest, folder: Path | None) -> Any:
    """Load the policy as a checkpoint has it: all weights, or an adapter on its own; None is untrained."""
    dtype = torch.bfloat16 if request.spec.grpo.dtype == "bfloat16" else torch.float32
    if folder is None:
        return _load(request, dtype)
    if (folder / "adapter_config.json").is_file():
        return PeftModel.from_pretrained(load_policy(request), str(folder))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def _load(request: StageRequest, dtype: torch.dtype) -> Any:
    policy = request.models.policy
    try:
        if policy.revision is not None and request.spec.grpo.rollout == "vllm_colocate":
            # TRL hands the model's name to its vLLM, and no revision.
            path = snapshot_download(policy.path, revision=policy.revision)
            return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
        return AutoModelForCausalLM.from_pretrained(policy.path, revision=policy.revision, dtype=dtype)
    except (OSError, ValueError) as error:
        raise BadRequest("policy.model", f"policy.model: {policy.path} cannot be loaded: {error}") from None


def lora_config(lora: LoraSpec) -> LoraConfig:
    """Return PEFT's form of the spec's adapter."""
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )


def device_of() -> torch.device:
    """Return this rank's device, also in an attempt that trains no more, where no trainer has chosen it."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", local_rank())
