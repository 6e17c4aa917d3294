"""The policy's adapter as files that a server can load, one folder a version, each under a name of its own.

vLLM's prefix cache is keyed by an adapter's name: weights that came under a used name would be asked about
with prefixes that older weights have computed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gavel_train.run.directory import sha256_of

_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Adapter:
    """One version of the policy's adapter; `step` counts the updates that it has had."""

    name: str
    step: int
    folder: Path
    sha256: str


def adapter_name(step: int, epoch: int) -> str:
    """Name the adapter after step and epoch: an attempt that repeats a step may have other weights."""
    return f"policy-v{step:06d}.e{epoch}"


def save_adapter(model: Any, folder: Path, *, step: int, epoch: int) -> Adapter:
    """Write the adapter of a PEFT model under `folder`; readers find all of its files or none.

    Not durable: a server that lost it gets it again, and an attempt that was killed writes another.
    """
    name = adapter_name(step, epoch)
    final, partial = folder / name, folder / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    # Left to PEFT, it asks the hub at each save whether the vocabulary was resized.
    model.save_pretrained(str(partial), selected_adapters=["default"], save_embedding_layers=False)
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    return read_adapter(folder, step=step, epoch=epoch)


def read_adapter(folder: Path, *, step: int, epoch: int) -> Adapter:
    """Return what `save_adapter` wrote, maybe in another rank."""
    name = adapter_name(step, epoch)
    return Adapter(name, step, folder / name, sha256_of(folder / name / _WEIGHTS))
