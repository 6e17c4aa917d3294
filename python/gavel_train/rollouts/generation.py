"""Sampling completions from a model in this process: tokens in, tokens out."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
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


# Plain sampling from the model's distribution, and no beams. `generate` fills a setting that is None
# from the model's generation_config.json (Qwen2.5-Instruct ships a repetition penalty of 1.05 there).
_NEUTRAL: dict[str, Any] = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "min_new_tokens": 0,
    "num_beams": 1,
    "length_penalty": 1.0,
    "renormalize_logits": False,
    "remove_invalid_values": False,
}


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
    for name, value in _NEUTRAL.items():
        if getattr(cached, name, None) is None:
            setattr(cached, name, value)
    output = model.generate(
        input_ids=input_ids,
        attention_mask=mask,
        generation_config=cached,
        stopping_criteria=StoppingCriteriaList([_Notice()] if give_up_on_notice else []),
    )
    rows = output[:, width:].tolist()
    return [row[: row.index(eos) + 1] if eos in row else row for row in rows]
