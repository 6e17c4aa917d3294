"""Prompts as the policy reads them: rendered and tokenized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

Prompt = str | list[dict[str, str]]


def as_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> Prompt:
    """Return the prompt in the form that the policy was made for: one user message, or plain text."""
    return [{"role": "user", "content": text}] if tokenizer.chat_template else text


def text_of(prompt: Prompt) -> str:
    """Return the task's own text of a prompt made by `as_prompt`."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], template: Mapping[str, Any]
) -> list[list[int]]:
    """Return token ids, unpadded; equal prompts are tokenized once.

    `template` are arguments of the chat template (`policy.chat_template_kwargs`), say enable_thinking.
    """
    known: dict[str, list[int]] = {}
    for prompt in prompts:
        text = text_of(prompt)
        if text in known:
            continue
        if isinstance(prompt, str):
            known[text] = tokenizer.encode(prompt)
        else:
            encoding: Any = tokenizer.apply_chat_template(
                prompt, add_generation_prompt=True, tokenize=True, return_dict=True, **template
            )
            known[text] = list(encoding["input_ids"])
    return [known[text_of(prompt)] for prompt in prompts]
