"""Keeps TRL from importing the vLLM that serves the judge."""

from __future__ import annotations

import importlib
import sys


def hide_vllm() -> None:
    """Make TRL's trainers, imported after this, believe that there is no vLLM.

    Where a vLLM is installed TRL imports all of it, for modes that are not in use, which more than
    doubles a trainer's start; and the judge's vLLM may be newer than those that TRL supports.
    """
    if "trl.generation.vllm_client" not in sys.modules:
        # TRL's own lazy package does not show its submodules as attributes.
        imports = importlib.import_module("trl.import_utils")
        setattr(imports, "is_vllm_available", lambda min_version=None: False)  # noqa: B010
