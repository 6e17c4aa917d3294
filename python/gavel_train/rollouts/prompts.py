"""Prompts as the policy reads them: rendered and tokenized."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from gavel_train.contracts import PromptRow
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.conversation import conversation_text, messages_of

Prompt = str | list[dict[str, str]]


def as_prompt(tokenizer: PreTrainedTokenizerBase, row: PromptRow) -> Prompt:
    """Return the prompt in the form that the policy was made for: messages, or plain text.

    Raises BadRequest for a conversation where the policy has no chat template.
    """
    if tokenizer.chat_template:
        return messages_of(row)
    if row.messages is not None:
        raise BadRequest(
            "policy.model",
            f"Expected a chat template, because prompt {row.id} is a list of messages; the policy has none",
        )
    return row.prompt


def text_of(prompt: Prompt) -> str:
    """Return the row's own text of a prompt made by `as_prompt`."""
    return prompt if isinstance(prompt, str) else conversation_text(prompt)


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], template: Mapping[str, Any]
) -> list[list[int]]:
    """Return token ids, unpadded; equal prompts are tokenized once.

    `template` are arguments of the chat template (`policy.chat_template_kwargs`), say enable_thinking.
    Raises BadRequest where the chat template does not take a prompt.
    """
    known: dict[str, list[int]] = {}
    for prompt in prompts:
        text = text_of(prompt)
        if text in known:
            continue
        if isinstance(prompt, str):
            known[text] = tokenizer.encode(prompt)
        else:
            known[text] = _rendered(tokenizer, prompt, template)
    return [known[text_of(prompt)] for prompt in prompts]


def _rendered(
    tokenizer: PreTrainedTokenizerBase, prompt: list[dict[str, str]], template: Mapping[str, Any]
) -> list[int]:
    try:
        encoding: Any = tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, tokenize=True, return_dict=True, **template
        )
    except TemplateError as error:
        print(f"chat template: {error}", file=sys.stderr)
        # What a template raises may quote the row, and this message goes into Temporal's history.
        roles = ", ".join(message["role"] for message in prompt)
        raise BadRequest(
            "task.path",
            "Expected prompts that the policy's chat template takes, found one that it refuses "
            f"(roles: {roles}); the trainer's log says why",
        ) from None
    return list(encoding["input_ids"])
