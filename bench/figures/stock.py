"""Stock TRL: a GRPOTrainer, and its own two ways to sample without vLLM."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from gavel_train.policy.trl_imports import hide_vllm

hide_vllm()

from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402
from trl.trainer.grpo_config import GRPOConfig  # noqa: E402
from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: E402

from figures.models import END  # noqa: E402


def tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of as many words as the model has; prompts are token ids and never go through it."""
    words = {"<|pad|>": 0, "<|end|>": END} | {f"w{number}": number for number in range(2, vocabulary)}
    inner = Tokenizer(models.WordLevel(words, unk_token="<|pad|>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<|pad|>", eos_token="<|end|>")


def trainer_of(model: Any, *, rows: int, groups: int, max_new_tokens: int, continuous: bool = False) -> Any:
    """Return a trainer as its documentation sets it up, for `rows` completions a step."""
    words = tokenizer(model.config.vocab_size)
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(prefix="gavel-bench-"),
        per_device_train_batch_size=rows,
        num_generations=groups,
        max_completion_length=max_new_tokens,
        temperature=1.0,
        top_k=0,
        gradient_checkpointing=True,
        use_cpu=True,
        bf16=False,
        report_to="none",
        use_transformers_continuous_batching=continuous,
    )
    return GRPOTrainer(
        model=model,
        args=config,
        processing_class=words,
        train_dataset=Dataset.from_list([{"prompt": "w2"}] * rows),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
    )


def sample(trainer: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return completions as the trainer's own rollout makes them."""
    ids, _ = trainer._generate_single_turn(
        [list(each) for each in prompts], None, {}, trainer.num_generations
    )
    return ids
