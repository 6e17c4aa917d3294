"""What is learned from an example, in which order, and how much of it at once."""

import pytest
import torch
from peft import PeftModel
from tiny_run import make_model, tokenizer
from transformers import AutoModelForCausalLM

from gavel_train.contracts import SftSpec
from gavel_train.grader.examples import Example
from gavel_train.grader.trainer import (
    IGNORED,
    Encoded,
    GraderTrainer,
    WeightedCollator,
    dataset_of,
    encode,
    training_order,
)
from gavel_train.grader.trl_config import compute_dtype, lora_config, micro_batch_size, sft_config


def test_the_loss_is_on_the_reply_and_its_end_alone():
    words = tokenizer()
    messages = [{"role": "system", "content": "Grade."}, {"role": "user", "content": "2+2= 4"}]
    row = encode(words, Example("k", "reasoned", messages, "Yes. Score: 9", 9), {})
    given = words.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    taught = [token for token in row.labels if token != IGNORED]
    assert words.decode(taught) == "Yes. Score: 9<|end|>"
    assert words.decode(row.input_ids) == given + "Yes. Score: 9<|end|>"
    assert row.labels[: -len(taught)] == [IGNORED] * (len(row.input_ids) - len(taught))


def test_a_control_token_that_a_reply_quotes_is_taught_as_text_and_does_not_end_it():
    words = tokenizer()
    row = encode(
        words, Example("k", "reasoned", [{"role": "user", "content": "x"}], "<|end|> Score: 0", 0), {}
    )
    taught = [label for label in row.labels if label != IGNORED]
    assert taught.count(words.eos_token_id) == 1 and taught[-1] == words.eos_token_id
    assert words.decode(taught[:-1]) == "<|end|> Score: 0"


def test_the_first_token_taught_after_the_generation_prompt_is_the_digit_even_if_a_template_adds_thinking():
    words = tokenizer()
    # As Qwen3's template does: an empty think block before a reply, and none in the generation prompt.
    words.chat_template = words.chat_template.replace(
        "<|{{ message.role }}|>",
        "<|{{ message.role }}|>{%- if message.role == 'assistant' -%}<think></think>{%- endif -%}",
    )
    row = encode(words, Example("k", "single_token", [{"role": "user", "content": "2+2= 4"}], "7", 7), {})
    assert words.decode([token for token in row.labels if token != IGNORED]) == "7<|end|>"
    assert words.decode(row.input_ids).endswith("<|assistant|>7<|end|>")


def test_an_example_is_rendered_with_the_template_arguments_that_the_grader_is_served_with():
    words = tokenizer()
    words.chat_template = "{% if enable_thinking is false %}<calm>{% endif %}" + words.chat_template
    example = Example("k", "single_token", [{"role": "user", "content": "2+2= 4"}], "7", 7)
    assert words.decode(encode(words, example, {"enable_thinking": False}).input_ids).startswith("<calm>")
    assert not words.decode(encode(words, example, {}).input_ids).startswith("<calm>")


def test_what_a_reply_begins_with_is_given_as_a_server_gives_it_and_not_taught():
    words = tokenizer()
    question = [{"role": "user", "content": "2+2= 4"}]
    row = encode(words, Example("k", "single_token", question, "7", 7, answer_prefix="Score: "), {})
    assert words.decode(row.input_ids).endswith("<|assistant|>Score: 7<|end|>")
    assert words.decode([token for token in row.labels if token != IGNORED]) == "7<|end|>"


def test_the_order_of_a_training_holds_every_example_once_an_epoch_in_batches_of_like_length():
    lengths = [10 + 7 * (n % 5) for n in range(64)]
    order = training_order(lengths, batch_size=8, epochs=2, seed=3)
    assert sorted(order) == sorted([*range(64)] * 2)
    spread = [
        max(lengths[i] for i in batch) - min(lengths[i] for i in batch)
        for batch in zip(*[iter(order)] * 8, strict=True)
    ]
    assert sum(spread) / len(spread) < 8
    assert order == training_order(lengths, batch_size=8, epochs=2, seed=3)
    assert order != training_order(lengths, batch_size=8, epochs=2, seed=4)


def test_batches_of_like_length_hold_less_padding_than_random_ones_of_the_same_examples():
    lengths = [10 + 7 * (n % 9) for n in range(90)]

    def padding(strategy: str) -> int:
        order = training_order(lengths, batch_size=6, epochs=1, seed=3, strategy=strategy)
        assert sorted(order) == [*range(90)]
        batches = zip(*[iter(lengths[index] for index in order)] * 6, strict=True)
        return sum(6 * max(batch) - sum(batch) for batch in batches)

    assert padding("group_by_length") < padding("random") / 5


def test_only_replies_get_logits_and_loss_and_gradients_are_those_of_the_whole_batch(tmp_path):
    rows = [Encoded([7] * given + [9, 8, 1], [IGNORED] * given + [9, 8, 1], 1.0) for given in (20, 22, 25)]
    rows.append(Encoded([6] * 26 + [5, 1], [IGNORED] * 26 + [5, 1], 3.0))
    spec = SftSpec.model_validate({"batch_size": 4, "lora": {"r": 2}, "dtype": "float32"})
    trainer = GraderTrainer(
        model=AutoModelForCausalLM.from_pretrained(make_model(tmp_path / "model")),
        args=sft_config(spec, output_dir=tmp_path / "out", steps=1, micro_batch=4, ranks=1),
        train_dataset=dataset_of(rows),
        data_collator=WeightedCollator(pad_token_id=0),
        processing_class=tokenizer(),
        peft_config=lora_config(spec),
    )
    model = trainer.model
    assert isinstance(model, PeftModel)
    batch = next(iter(trainer.get_train_dataloader()))
    labels = batch["labels"].clone()
    asked = []
    model.get_output_embeddings().register_forward_hook(lambda _, given, __: asked.append(given[0].shape[1]))

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor]:
        model.zero_grad()
        loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    model.train()
    whole = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    each = torch.nn.functional.cross_entropy(whole.transpose(1, 2), labels[:, 1:], reduction="none")
    per_reply = each.sum(1) / (labels != IGNORED).sum(1)
    expected = (per_reply * torch.tensor([1.0, 1.0, 1.0, 3.0])).sum() / 4
    wanted = gradients(expected)
    found = trainer.compute_loss(model, dict(batch))
    assert asked == [28, 9]
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    moved = gradients(found)
    assert any(value.abs().max() > 0 for value in moved.values())
    for name, value in moved.items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-4, atol=1e-6)


def test_auto_is_bfloat16_on_a_gpu_that_computes_in_it_and_float32_elsewhere(monkeypatch):
    assert compute_dtype(SftSpec(dtype="bfloat16")) is torch.bfloat16
    for gpu, computes, expected in [
        (False, False, torch.float32),
        (True, False, torch.float32),
        (True, True, torch.bfloat16),
    ]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=gpu: found)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda found=computes, **_: found)
        assert compute_dtype(SftSpec(dtype="auto")) is expected
        assert compute_dtype(SftSpec(dtype="float32")) is torch.float32


def test_the_loss_weighs_examples_and_not_tokens():
    from types import SimpleNamespace

    logits = torch.zeros(2, 5, 4)
    logits[1, :, 2] = 3.0
    labels = torch.tensor([[IGNORED, 1, 1, 1, 1], [IGNORED, IGNORED, IGNORED, IGNORED, 2]])
    trainer = object.__new__(GraderTrainer)
    trainer._loss_weight_B = torch.tensor([1.0, 3.0])
    trainer.model = SimpleNamespace(training=True)
    trainer.args = SimpleNamespace(train_batch_size=2, gradient_accumulation_steps=1, world_size=1)
    output = type("Output", (), {"logits": logits})
    each = torch.nn.functional.cross_entropy(logits[:, 0], torch.tensor([1, 2]), reduction="none")
    assert trainer._weighted_loss(output, labels) == pytest.approx(float((each[0] + 3 * each[1]) / 2))


def test_a_micro_batch_is_the_largest_divisor_whose_logits_fit():
    assert micro_batch_size(32, 100, 512) == 32
    assert micro_batch_size(32, 2048, 151_936) == 2
    assert micro_batch_size(6, 10**6, 151_936) == 1
