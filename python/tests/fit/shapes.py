"""Configs of models, and their sizes, without a file."""

from gavel_train.fit.shape import Shape, from_config


def config_of(*, hidden, layers, heads, key_heads, ffn, vocabulary, tied=True) -> dict:
    return {
        "model_type": "qwen3",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "head_dim": hidden // heads,
        "intermediate_size": ffn,
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "max_position_embeddings": 4096,
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }


def shape_of_config(config: dict) -> Shape:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    return from_config(
        config, {name: (tuple(parameter.shape), 4) for name, parameter in model.named_parameters()}
    )
