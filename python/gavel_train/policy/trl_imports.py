"""Keeps TRL from importing vLLM where it is not in use."""

from __future__ import annotations

import importlib
import sys


def hide_vllm() -> None:
    """Make TRL's trainers, imported after this, believe that there is no vLLM.

    TRL imports all of an installed vLLM, for modes that are not in use, which more than doubles a
    trainer's start.
    """
    if "trl.generation.vllm_client" not in sys.modules:
        # TRL's own lazy package does not show its submodules as attributes.
        imports = importlib.import_module("trl.import_utils")
        setattr(imports, "is_vllm_available", lambda min_version=None: False)  # noqa: B010
