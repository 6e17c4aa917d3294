"""Weights held in the compute dtype while a model generates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def holding_weights_in(model: nn.Module, dtype: torch.dtype | None) -> Iterator[None]:
    """Inside, linear layers have their weights in `dtype`; afterwards they have their own parameters back.

    Autocast, in which the trainer computes, casts each weight of a linear layer at each call: once per token
    where gradients are off, since its cache holds only weights that need gradients. The numbers are the same.
    It costs the memory of a copy, for the time inside, of weights that are not in `dtype`. None changes
    nothing.
    """
    if dtype is None:
        yield
        return
    own: list[tuple[nn.Linear, dict[str, nn.Parameter | None]]] = []
    casts: dict[int, nn.Parameter] = {}
    try:
        for module in model.modules():
            if not isinstance(module, nn.Linear):
                continue
            kept: dict[str, nn.Parameter | None] = {}
            for name, parameter in module._parameters.items():
                if parameter is not None and parameter.dtype != dtype:
                    kept[name] = parameter
                    if id(parameter) not in casts:
                        cast = parameter.detach().to(dtype)
                        casts[id(parameter)] = nn.Parameter(cast, requires_grad=False)
            own.append((module, kept))
            for name, parameter in kept.items():
                module._parameters[name] = casts[id(parameter)]
        yield
    finally:
        for module, kept in own:
            module._parameters.update(kept)
