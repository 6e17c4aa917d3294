import pytest
from tiny_run import tokenizer

from gavel_train.contracts import Message, PromptRow
from gavel_train.rollouts.prompts import as_prompt, text_of, tokenize
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.conversation import conversation_text

TALK = [
    {"role": "system", "content": "Count."},
    {"role": "user", "content": "1+1="},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "2+1="},
]


def row(prompt, messages=None):
    return PromptRow(
        id="train-000007",
        prompt=prompt,
        messages=messages and [Message(**x) for x in messages],
        ground_truth=None,
        meta={},
    )


def test_a_prompt_is_rendered_with_the_template_arguments_of_the_policy_and_its_text_stays_as_it_is():
    words = tokenizer()
    words.chat_template = "{% if enable_thinking is false %}<calm>{% endif %}" + words.chat_template
    prompt = as_prompt(words, row("1+1="))
    (calm,) = tokenize(words, [prompt], {"enable_thinking": False})
    (plain,) = tokenize(words, [prompt], {})
    assert words.decode(calm) == "<calm>" + words.decode(plain)
    assert text_of(prompt) == "1+1="


def test_a_conversation_is_rendered_whole_and_found_again_by_its_text():
    words = tokenizer()
    prompt = as_prompt(words, row(conversation_text(TALK), TALK))
    other = as_prompt(words, row("2+1="))
    # Both end with the same message.
    (ids, short) = tokenize(words, [prompt, other], {})
    assert words.decode(ids) == "<|system|>Count.<|user|>1+1=<|assistant|>2<|end|><|user|>2+1=<|assistant|>"
    assert words.decode(short) == "<|user|>2+1=<|assistant|>"
    assert text_of(prompt) == "[system]\nCount.\n\n[user]\n1+1=\n\n[assistant]\n2\n\n[user]\n2+1="


def test_a_conversation_needs_a_policy_with_a_chat_template():
    words = tokenizer()
    words.chat_template = None
    assert as_prompt(words, row("1+1=")) == "1+1="
    with pytest.raises(BadRequest, match="because prompt train-000007 is a list of messages"):
        as_prompt(words, row(conversation_text(TALK), TALK))


def test_a_conversation_that_the_chat_template_refuses_is_named_by_its_roles_and_not_quoted():
    words = tokenizer()
    words.chat_template = "{{ raise_exception('No system: ' + messages[0].content) }}"
    with pytest.raises(BadRequest, match=r"refuses \(roles: system, user, assistant, user\)") as refused:
        tokenize(words, [as_prompt(words, row(conversation_text(TALK), TALK))], {})
    assert "Count." not in str(refused.value)
