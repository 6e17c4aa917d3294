import functools

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from gavel_train.rollouts.layer_state import generating


@pytest.fixture
def model(tiny_model):
    """LoRA with dropout, in train mode, only every second layer checkpointed by a function of its own."""
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    policy = get_peft_model(base, LoraConfig(r=2, lora_dropout=0.5, target_modules="all-linear"))
    policy.gradient_checkpointing_enable()
    for number, layer in enumerate(base.model.layers):
        layer.gradient_checkpointing = number % 2 == 0
        layer._gradient_checkpointing_func = functools.partial(own_checkpoint, number)
    policy.train()
    # One frozen module in eval mode inside a model in train mode has to stay so.
    base.model.layers[1].mlp.eval()
    return policy


def own_checkpoint(number, function, *args):
    return torch.utils.checkpoint.checkpoint(function, *args, use_reentrant=False)


def state(model) -> list:
    return [
        (
            module.training,
            vars(module).get("gradient_checkpointing"),
            vars(module).get("_gradient_checkpointing_func"),
            list(module._forward_hooks.items()),
        )
        for module in model.modules()
    ]


def test_generation_gives_every_layer_its_exact_state_back(model):
    before = state(model)
    with generating(model):
        assert not any(module.training for module in model.modules())
        assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    assert state(model) == before


def test_an_exception_in_generation_gives_every_layer_its_state_back(model):
    before = state(model)
    with pytest.raises(RuntimeError, match="out of memory"), generating(model):
        raise RuntimeError("out of memory")
    assert state(model) == before


def test_many_generations_add_no_hook(model):
    before = state(model)
    for _ in range(50):
        with generating(model) as layers:
            pass
        layers.restore()
    assert state(model) == before


def test_what_trl_toggles_after_the_rollout_can_be_undone(model):
    before = state(model)
    with generating(model) as layers:
        pass
    model.gradient_checkpointing_disable()
    model.gradient_checkpointing_enable()
    assert state(model) != before
    layers.restore()
    assert state(model) == before


def test_attention_and_weights_are_what_they_were_also_after_an_exception(model):
    def configs():
        return [
            getattr(vars(module).get("config"), "_attn_implementation", None) for module in model.modules()
        ]

    def parameters():
        return [(name, id(parameter), parameter.dtype) for name, parameter in model.named_parameters()]

    before = configs(), parameters()
    with (
        pytest.raises(RuntimeError),
        generating(model, attention="gavel_shared_prefix", dtype=torch.bfloat16),
    ):
        assert set(configs()) == {"gavel_shared_prefix", None}
        linear = model.base_model.model.model.layers[0].mlp.up_proj
        assert linear.base_layer.weight.dtype == linear.lora_A["default"].weight.dtype == torch.bfloat16
        raise RuntimeError
    assert (configs(), parameters()) == before
