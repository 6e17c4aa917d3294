"""Counts what autograd saves in one more layer of a model, for each token."""

from contextlib import nullcontext

import torch
from peft import get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from gavel_train.policy.model import lora_config


def saved_bytes(config: dict, *, rows: int, tokens: int, mixed: bool, lora) -> float:
    few, more = (_saved(config | {"num_hidden_layers": n}, rows, tokens, mixed, lora) for n in (2, 4))
    return (more - few) / 2 / (rows * tokens)


def _saved(config: dict, rows: int, tokens: int, mixed: bool, lora) -> int:
    dtype = torch.bfloat16 if mixed and lora else torch.float32
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=dtype)
    if lora:
        model = get_peft_model(model, lora_config(lora)).get_base_model()
        model.enable_input_require_grads()
    model.train()
    weights = {one.untyped_storage().data_ptr() for one in model.state_dict().values()}
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        # Copies that autocast makes of weights are no activations.
        is_cast = (
            tensor.dim() == 2
            and tensor.dtype == torch.bfloat16
            and mixed
            and tensor.shape[0] != rows * tokens
        )
        if storage.data_ptr() not in weights and not is_cast:
            storages[storage.data_ptr()] = storage
        return tensor

    ids = torch.randint(2, config["vocab_size"], (rows, tokens))
    mask = torch.ones_like(ids)
    # Padding, as prompts of several lengths have it: without it attention gets no mask.
    mask[0, :2] = 0
    computing = torch.autocast("cpu", dtype=torch.bfloat16) if mixed else nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), computing:
        kept = model(ids, attention_mask=mask, use_cache=False).logits
    assert kept.requires_grad
    return sum(storage.nbytes() for storage in storages.values())
