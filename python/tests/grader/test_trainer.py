"""What is learned from an example, in which order, and how much of it at once."""

import pytest
import torch
from tiny_run import tokenizer

from gavel_train.grader.examples import Example
from gavel_train.grader.train import micro_batch_size
from gavel_train.grader.trainer import IGNORED, encode, training_order


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


def test_the_loss_weighs_examples_and_not_tokens():
    from types import SimpleNamespace

    from gavel_train.grader.trainer import GraderTrainer

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
