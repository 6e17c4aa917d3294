"""Folders of models with random weights that vLLM serves: a shape of `models` and a tokenizer."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from figures.models import MODELS

_TEMPLATE = "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}"


def save(name: str, folder: Path) -> Path:
    """Save a shape of `figures.models`; a word is a token, and so is each digit of a number."""
    model = MODELS[name]()
    words = ["<|pad|>", "<|end|>", *"0123456789"]
    words += [f"w{number}" for number in range(len(words), model.config.vocab_size)]
    ids = {word: id for id, word in enumerate(words)}
    inner = Tokenizer(models.WordLevel(ids, unk_token=words[-1]))
    # Numbers tell texts apart; as one unknown word each, they would all be the same text to a prefix cache.
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<|pad|>", eos_token="<|end|>", chat_template=_TEMPLATE
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
