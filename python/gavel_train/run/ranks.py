"""What the ranks of one training have to agree on."""

from __future__ import annotations

from typing import Any

import torch


def any_rank(trainer: Any, mine: bool) -> bool:
    """Return whether any rank says yes; every rank has to ask at the same place."""
    vote = torch.tensor(float(mine), device=trainer.accelerator.device)
    return bool(trainer.accelerator.reduce(vote, reduction="sum").item() > 0)
