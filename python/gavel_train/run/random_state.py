"""The random generators of this process: kept when a step begins, given back where it is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class RandomState:
    """What a checkpoint saves of Python, NumPy, torch and its CUDA devices."""

    python: Any
    numpy: Any
    cpu: torch.Tensor
    cuda: list[torch.Tensor]


def random_state() -> RandomState:
    """Return the state of all generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return RandomState(random.getstate(), np.random.get_state(), torch.random.get_rng_state(), cuda)


def restore_random_state(state: RandomState) -> None:
    """Give all generators the state that they had."""
    random.setstate(state.python)
    np.random.set_state(state.numpy)
    torch.random.set_rng_state(state.cpu)
    if state.cuda:
        torch.cuda.set_rng_state_all(state.cuda)
