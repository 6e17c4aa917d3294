"""A model's sizes: of its config, and of the headers of its weight files where they are on this machine.

Reading headers takes milliseconds. Where only the config is there, the model is made on the meta device,
which gives the same names and shapes and takes the seconds that importing torch takes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from gavel_train.contracts import LocatedModel

_BYTES = {
    "F64": 8,
    "F32": 4,
    "BF16": 2,
    "F16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I8": 1,
    "U8": 1,
}


class UnknownShape(Exception):
    """The sizes of a model cannot be read; the message says why."""


@dataclass(frozen=True)
class Linear:
    """A linear layer's weight."""

    name: str
    outputs: int
    inputs: int


@dataclass(frozen=True)
class Shape:
    """What of a decoder decides its memory; counts of numbers, not of bytes."""

    parameters: int
    stored_bytes: int
    linear: tuple[Linear, ...]
    hidden: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    context: int
    tied: bool
    # Queries and keys are normed, as in Qwen3.
    normed_heads: bool
    # Every layer attends to all tokens, with keys and values of its own.
    full_attention: bool
    # Weights are stored in fewer bits than they stand for.
    quantized: bool = False
    # Tokens go to some of many feed-forward layers each.
    experts: bool = False

    @property
    def no_formula(self) -> str | None:
        """Why this model's memory is not computed; None where it is."""
        reasons = {
            "its weights are quantized": self.quantized,
            "its layers have experts": self.experts,
            "its layers do not all attend to all tokens": not self.full_attention,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    @property
    def queries(self) -> int:
        """Numbers in the queries of one token and layer."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Numbers in the keys of one token and layer; its values have as many."""
        return self.key_heads * self.head_size

    @property
    def kv_per_token(self) -> int:
        """Numbers that the cache keeps of one token, all layers."""
        return 2 * self.layers * self.keys

    @property
    def in_linear_layers(self) -> int:
        """Parameters of linear layers, the language model's head among them; embeddings are none."""
        return sum(one.outputs * one.inputs for one in self.linear) + self.vocabulary * self.hidden

    def adapter_parameters(self, rank: int, targets: str | list[str]) -> int:
        """Parameters of a LoRA adapter: A is [rank, inputs] and B [outputs, rank] for each target.

        `all-linear` is every linear layer but the head, as PEFT reads it; names match the end of a path.
        """
        chosen = [
            one for one in self.linear if targets == "all-linear" or one.name.rsplit(".", 1)[-1] in targets
        ]
        return sum(rank * (one.outputs + one.inputs) for one in chosen)


def shape_of(model: LocatedModel, hub_cache: Path) -> Shape:
    """Return a model's sizes; raises UnknownShape."""
    folder = folder_of(model, hub_cache)
    if not (folder / "config.json").is_file() and model.revision is not None:
        folder = _config_of_hub(model.path, model.revision) or folder
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise UnknownShape(
            f"no config.json of {model.path} on this machine ({type(error).__name__})"
        ) from None
    # The model's own config may hold how its text part is stored.
    text = {"quantization_config": config.get("quantization_config")} | (config.get("text_config") or config)
    try:
        tensors = _stored(folder) or _on_meta(folder)
        return from_config(text, tensors)
    except UnknownShape:
        raise
    except Exception as error:
        # Architectures differ in what their configs name; an unknown one must not keep a run from starting.
        raise UnknownShape(f"{model.path}: {type(error).__name__}: {error}") from None


def folder_of(model: LocatedModel, hub_cache: Path) -> Path:
    """Return the folder of a model; for one of the hub that of its commit in the cache."""
    if model.revision is None:
        return Path(model.path)
    return hub_cache / f"models--{model.path.replace('/', '--')}" / "snapshots" / model.revision


def _config_of_hub(name: str, revision: str) -> Path | None:
    """Fetch the config of a hub model, some kilobytes, into the cache; None where the hub gives none."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, "config.json", revision=revision, etag_timeout=5)).parent
    except Exception:
        return None


Tensors = Mapping[str, tuple[tuple[int, ...], int]]


def from_config(config: Mapping[str, Any], tensors: Tensors) -> Shape:
    """Return the sizes in a config of transformers.

    `tensors` has of each weight its shape, and the bytes of one of its numbers.
    """
    heads = config["num_attention_heads"]
    hidden = config["hidden_size"]
    kinds = set(config.get("layer_types") or ["full_attention"])
    if config.get("tie_word_embeddings"):
        # Some checkpoints store the head beside the embedding that it is tied to.
        tensors = {name: sizes for name, sizes in tensors.items() if "lm_head" not in name}
    names = tuple(tensors)
    linear = tuple(
        Linear(name.removesuffix(".weight"), shape[0], shape[1])
        for name, (shape, _) in sorted(tensors.items())
        if ".layers." in name and name.endswith(".weight") and len(shape) == 2
    )
    # Of experts only those that a token is sent to keep activations.
    experts = config.get("num_experts_per_tok") or 0
    intermediate = (config.get("moe_intermediate_size") or 0) * experts or config["intermediate_size"]
    return Shape(
        parameters=sum(prod(shape) for shape, _ in tensors.values()),
        stored_bytes=sum(prod(shape) * each for shape, each in tensors.values()),
        linear=linear,
        hidden=hidden,
        layers=config["num_hidden_layers"],
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or hidden // heads,
        intermediate=intermediate,
        vocabulary=config["vocab_size"],
        context=config.get("max_position_embeddings") or 0,
        tied=not any("lm_head" in name for name in names),
        normed_heads=any("q_norm" in name for name in names),
        full_attention=kinds == {"full_attention"} and not _attends_otherwise(config),
        quantized=bool(config.get("quantization_config")),
        experts=any(config.get(key) for key in _EXPERTS),
    )


_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "num_experts_per_tok")
_OTHER_ATTENTION = (
    "kv_lora_rank",
    "sliding_window_pattern",
    "full_attention_interval",
    "linear_num_key_heads",
)


def _attends_otherwise(config: Mapping[str, Any]) -> bool:
    if any(config.get(key) for key in _OTHER_ATTENTION):
        return True
    # A window counts for every layer where no list says for which.
    windowed = config.get("sliding_window") and config.get("use_sliding_window", True)
    return bool(windowed) and not config.get("layer_types")


def _stored(folder: Path) -> Tensors | None:
    """Read the headers of the weight files; None where not all of them are there."""
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        wanted = set(json.loads(index.read_text())["weight_map"].values())
        files = [folder / name for name in sorted(wanted)]
    if not files or not all(path.is_file() for path in files):
        return None
    tensors: dict[str, tuple[tuple[int, ...], int]] = {}
    for path in files:
        for name, entry in _header(path).items():
            if name != "__metadata__":
                tensors[name] = (tuple(entry["shape"]), _BYTES.get(entry["dtype"], 4))
    return tensors


def _header(path: Path) -> dict[str, Any]:
    # The format: eight bytes of length, little endian, then the header as JSON.
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))


def _on_meta(folder: Path) -> Tensors:
    """Make the model of a config without memory."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    each = 2 if getattr(config, "dtype", None) in (torch.bfloat16, torch.float16) else 4
    # Tied weights are one parameter, which named_parameters gives once.
    return {name: (tuple(parameter.shape), each) for name, parameter in model.named_parameters()}
