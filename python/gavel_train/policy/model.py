"""Loading the policy: tokenizer, weights, and the adapter of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from gavel_train.contracts import GrpoSpec, LoraSpec, StageRequest
from gavel_train.run.outcome import BadRequest


def resolve_model(root: str | Path, name: str, *, field: str) -> str:
    """Return a model's folder under the root, or a hub name as it is; BadRequest for a missing folder."""
    folder = Path(root) / name
    if (folder / "config.json").is_file():
        return str(folder)
    if folder.exists():
        raise BadRequest(field, f"{field}: expected a model folder with config.json, found none in {folder}")
    # A hub name is "owner/model"; what else is given as a path was meant as a folder.
    if Path(name).is_absolute() or name.count("/") != 1 or name.startswith((".", "models/")):
        raise BadRequest(field, f"{field}: expected a model folder, found nothing at {folder}")
    return name


def load_tokenizer(request: StageRequest) -> PreTrainedTokenizerBase:
    """Load the policy's tokenizer, with a padding token and padding on the left."""
    path = resolve_model(request.root, request.spec.policy.model, field="policy.model")
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    except (OSError, ValueError) as error:
        raise BadRequest("policy.model", f"policy.model: no tokenizer in {path}: {error}") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_policy(request: StageRequest) -> Any:
    """Load the policy's own weights.

    They are float32 unless an adapter is trained on top: AdamW's small updates vanish in bfloat16
    weights, so full training keeps float32 ones and computes in bfloat16 by autocast.
    """
    grpo = request.spec.grpo
    path = resolve_model(request.root, request.spec.policy.model, field="policy.model")
    dtype = torch.bfloat16 if grpo.dtype == "bfloat16" and grpo.lora is not None else torch.float32
    try:
        return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    except (OSError, ValueError) as error:
        raise BadRequest("policy.model", f"policy.model: {path} cannot be loaded: {error}") from None


def load_checkpoint(request: StageRequest, folder: Path) -> Any:
    """Load the policy as a checkpoint has it: all weights, or the adapter on the policy's own."""
    if (folder / "adapter_config.json").is_file():
        return PeftModel.from_pretrained(load_policy(request), str(folder))
    dtype = torch.bfloat16 if request.spec.grpo.dtype == "bfloat16" else torch.float32
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def lora_config(lora: LoraSpec) -> LoraConfig:
    """Return PEFT's form of the spec's adapter."""
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )


def device_of(grpo: GrpoSpec) -> torch.device:
    """Return this rank's device."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())
