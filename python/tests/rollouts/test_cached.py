import functools
import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_run import tokenizer
from transformers import AutoModelForCausalLM

from gavel_train.rollouts.generation import as_prompt, complete, sampling_config, tokenize
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


def test_a_checkpointed_model_in_train_mode_generates_what_it_generates_plainly(model, tiny_model):
    words = tokenizer()
    ids = tokenize(words, [as_prompt(words, text) for text in ("1+1=", "a long question: 20+22=")], {})
    greedy = sampling_config(words, temperature=0, max_new_tokens=8)
    with generating(model):
        cached = complete(model, ids, greedy, device=torch.device("cpu"))
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    expected = []
    for row in ids:
        row = list(row)
        start = len(row)
        while len(row) < start + 8 and words.eos_token_id not in row[start:]:
            with torch.no_grad():
                row.append(int(plain(torch.tensor([row]), use_cache=False).logits[0, -1].argmax()))
        expected.append(row[start:])
    assert cached == expected


def test_completions_end_with_their_first_end_token():
    class Fixed:
        def generate(self, input_ids, **_):
            tail = torch.tensor([[7, 1, 0, 0], [7, 8, 9, 7]])
            return torch.cat([input_ids, tail], dim=1)

    config = sampling_config(tokenizer(), temperature=1.0, max_new_tokens=4)
    assert (config.pad_token_id, config.eos_token_id) == (0, 1)
    assert complete(Fixed(), [[5], [5, 6]], config, device=torch.device("cpu")) == [[7, 1], [7, 8, 9, 7]]


def test_rollout_masks_the_tokens_of_rows_without_a_reward(tiny_model, monkeypatch):
    from types import SimpleNamespace

    from gavel_train.contracts import PromptRow
    from gavel_train.rollouts.cached import CachedRollout

    row = PromptRow(id="a", prompt="1+1=", ground_truth=None, meta={})
    desk = SimpleNamespace(
        judge_all=lambda step, first, rows, texts, any_rank: [
            SimpleNamespace(reward=None if n == 1 else 0.5, seen=(step, first, rows[n].id))
            for n in range(len(texts))
        ]
    )
    rollout = CachedRollout({row.prompt: row}, desk)
    monkeypatch.setattr(rollout, "_generate", lambda ids, trainer: [[9, 1], [9, 9, 1]])
    trainer = SimpleNamespace(
        processing_class=tokenizer(),
        state=SimpleNamespace(global_step=4),
        accelerator=SimpleNamespace(process_index=1),
        chat_template_kwargs={},
    )
    output = rollout([as_prompt(tokenizer(), row.prompt)] * 2, trainer)
    assert output["env_mask"] == [[1, 1], [0, 0, 0]]
    assert output["judged"][0].seen == (5, 2, "a")
    assert json.dumps(output["completion_ids"]) == "[[9, 1], [9, 9, 1]]"
