"""The engine `transformers`: the library's own `generate`, for models that `cached` cannot sample from."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from gavel_train.rollouts.ends import Ends
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.layer_state import generating
from gavel_train.run import lifetime

# Plain sampling from the model's distribution, and no beams. `generate` fills a setting that is None
# from the model's generation_config.json (Qwen2.5-Instruct ships a repetition penalty of 1.05 there).
_NEUTRAL: dict[str, Any] = {
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
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


class GenerateEngine:
    """Samples with `generate`: every row by itself, to the end of the slowest one.

    With `give_up_on_notice` SIGTERM ends a generation without any completion.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        *,
        device: torch.device,
        give_up_on_notice: bool = False,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._device = device
        self._give_up_on_notice = give_up_on_notice

    @torch.no_grad()
    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling
    ) -> Generator[Completion, None, None]:
        """Yield one completion per prompt once all have ended (see `engine.Engine`)."""
        ends = Ends(sampling, self._tokenizer)
        pad = self._tokenizer.pad_token_id
        width = max(len(ids) for ids in prompts)
        padded = [[pad] * (width - len(ids)) + list(ids) for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        with generating(self._model):
            output = self._model.generate(
                input_ids=torch.tensor(padded, device=self._device),
                attention_mask=torch.tensor(mask, device=self._device),
                generation_config=self._config(sampling),
                tokenizer=self._tokenizer,
                stopping_criteria=StoppingCriteriaList([_Notice()] if self._give_up_on_notice else []),
            )
        if self._give_up_on_notice and lifetime.stop_requested():
            return
        for index, row in enumerate(output[:, width:].tolist()):
            # Rows that ended before the slowest are padded to its length.
            written, stopped = ends.cut(row)
            yield Completion(index, written, "stop" if stopped else "length")

    def _config(self, sampling: Sampling) -> GenerationConfig:
        drawing = sampling.temperature > 0
        return GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=drawing,
            temperature=sampling.temperature if drawing else 1.0,
            top_k=sampling.top_k if drawing else 0,
            top_p=sampling.top_p if drawing else 1.0,
            min_p=sampling.min_p if drawing else 0.0,
            repetition_penalty=sampling.repetition_penalty,
            stop_strings=list(sampling.stop_strings) or None,
            pad_token_id=self._tokenizer.pad_token_id,
            bos_token_id=self._tokenizer.bos_token_id,
            eos_token_id=sorted(sampling.stop_ids),
            disable_compile=True,
            # The trainer turns the cache off in the model's own settings when it checkpoints gradients.
            use_cache=True,
            **_NEUTRAL,
        )
