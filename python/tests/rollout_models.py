"""Models of each architecture that `cached` samples from, with random weights."""

import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 112
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3")
WINDOW = 8


def make(architecture: str, *, dtype: torch.dtype = torch.float64, seed: int = 0):
    """Return a model of three layers whose next tokens are far from uniform."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 96,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
        "initializer_range": 0.3,
    }
    match architecture:
        case "llama":
            model = LlamaForCausalLM(LlamaConfig(**sizes))
        case "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**sizes))
        case "qwen3":
            model = Qwen3ForCausalLM(Qwen3Config(head_dim=16, **sizes))
        case "gemma3":
            kinds = ["sliding_attention", "full_attention", "sliding_attention"]
            model = Gemma3ForCausalLM(
                Gemma3TextConfig(
                    head_dim=16, query_pre_attn_scalar=16, sliding_window=WINDOW, layer_types=kinds, **sizes
                )
            )
        case _:
            raise ValueError(architecture)
    return model.to(dtype).eval()


def prompts(lengths, groups: int, seed: int = 1) -> list[list[int]]:
    """Return one prompt of random tokens per length, each `groups` times in a row."""
    generator = torch.Generator().manual_seed(seed)
    distinct = [torch.randint(6, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]
    return [ids for ids in distinct for _ in range(groups)]
