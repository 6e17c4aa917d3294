"""Sampling completions from a model in this process: tokens in, tokens out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from gavel_train.run import lifetime

Prompt = str | list[dict[str, str]]


def as_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> Prompt:
    """Return the prompt in the form that the policy was made for: one user message, or plain text."""
    return [{"role": "user", "content": text}] if tokenizer.chat_template else text


def text_of(prompt: Prompt) -> str:
    """Return the task's own text of a prompt made by `as_prompt`."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


def tokenize(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Return token ids, unpadded; equal prompts are tokenized once."""
    known: dict[str, list[int]] = {}
    for prompt in prompts:
        text = text_of(prompt)
        if text in known:
            continue
        if isinstance(prompt, str):
            known[text] = tokenizer.encode(prompt)
        else:
            encoding: Any = tokenizer.apply_chat_template(
                prompt, add_generation_prompt=True, tokenize=True, return_dict=True
            )
            known[text] = list(encoding["input_ids"])
    return [known[text_of(prompt)] for prompt in prompts]


def sampling_config(
    tokenizer: PreTrainedTokenizerBase, *, temperature: float, max_new_tokens: int
) -> GenerationConfig:
    """Return the generation settings for plain sampling; temperature 0 means greedy."""
    sampling: dict[str, Any] = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if temperature > 0
        else {"do_sample": False}
    )
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        disable_compile=True,
        **sampling,
    )


class _Notice(StoppingCriteria):
    """Ends generation when SIGTERM has arrived: who asked for the completions gives the step up."""

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Return one flag a row."""
        return torch.full((input_ids.shape[0],), lifetime.stop_requested(), device=input_ids.device)


@torch.no_grad()
def complete(
    model: Any,
    prompt_ids: Sequence[Sequence[int]],
    config: GenerationConfig,
    *,
    device: torch.device,
    give_up_on_notice: bool = False,
) -> list[list[int]]:
    """Generate one completion per row; each ends with its first end-of-sequence token, which is kept.

    With `give_up_on_notice` SIGTERM cuts all of them off: the caller must look and throw them away.
    """
    pad, eos = config.pad_token_id, config.eos_token_id
    width = max(len(ids) for ids in prompt_ids)
    input_ids = torch.tensor([[pad] * (width - len(ids)) + list(ids) for ids in prompt_ids], device=device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompt_ids], device=device)
    # The trainer turns the cache off in the model's own settings when it checkpoints gradients.
    cached = copy.deepcopy(config)
    cached.use_cache = True
    output = model.generate(
        input_ids=input_ids,
        attention_mask=mask,
        generation_config=cached,
        stopping_criteria=StoppingCriteriaList([_Notice()] if give_up_on_notice else []),
    )
    rows = output[:, width:].tolist()
    return [row[: row.index(eos) + 1] if eos in row else row for row in rows]
