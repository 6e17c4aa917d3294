"""A model's exact mode, kept and given back: checkpointing, train or eval, hooks, attention, weights.

Calling a model's own `gradient_checkpointing_disable()` and `..._enable()` around generation loses what
was set (every n-th layer, offload, a function of one's own), and each `enable` adds one more hook to the
embeddings. Here nothing is called: the attributes are read, changed and written back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gavel_train.rollouts.compute_dtype import holding_weights_in

_CHECKPOINTING = ("gradient_checkpointing", "_gradient_checkpointing_func")
_HOOK_HANDLES = ("_require_grads_hooks", "_require_grads_hook")
# What the setter of `_attn_implementation` writes; it writes into settings of other models as well.
_ATTENTION = "_attn_implementation_internal"


class LayerState:
    """A snapshot of what generation has to change in a model, and a way back to it."""

    def __init__(self, model: nn.Module) -> None:
        self._training: list[tuple[nn.Module, bool]] = []
        self._attributes: list[tuple[object, str, Any]] = []
        self._hooks: list[tuple[nn.Module, dict[int, Any]]] = []
        self.configs: dict[int, Any] = {}
        for module in model.modules():
            self._training.append((module, module.training))
            for name in (*_CHECKPOINTING, *_HOOK_HANDLES):
                if name in vars(module):
                    value = vars(module)[name]
                    self._attributes.append((module, name, list(value) if isinstance(value, list) else value))
            if isinstance(module, nn.Embedding):
                self._hooks.append((module, dict(module._forward_hooks)))
            config = vars(module).get("config")
            if hasattr(config, _ATTENTION) and id(config) not in self.configs:
                self.configs[id(config)] = config
                self._attributes.append((config, _ATTENTION, getattr(config, _ATTENTION)))

    def restore(self) -> None:
        """Put every layer back as it was; embedding hooks added since are dropped, removed ones are back."""
        for module, training in self._training:
            module.training = training
        for owner, name, value in self._attributes:
            setattr(owner, name, list(value) if isinstance(value, list) else value)
        for module, hooks in self._hooks:
            module._forward_hooks.clear()
            module._forward_hooks.update(hooks)


@contextmanager
def generating(
    model: nn.Module, *, attention: str | None = None, dtype: torch.dtype | None = None
) -> Iterator[LayerState]:
    """Inside, the model caches keys and values and drops nothing out; afterwards it is exactly as before.

    A checkpointed layer in train mode silently drops the cache, so both are turned off. `attention` names
    the attention that layers use inside, `dtype` that of the weights of linear layers; None leaves both.
    The snapshot is yielded for callers whose surroundings toggle checkpointing once more.
    """
    state = LayerState(model)
    try:
        for module in model.modules():
            if getattr(module, "gradient_checkpointing", False):
                setattr(module, "gradient_checkpointing", False)  # noqa: B010 (Module's own setter takes tensors only)
        model.eval()
        if attention is not None:
            for config in state.configs.values():
                setattr(config, _ATTENTION, attention)
        with holding_weights_in(model, dtype):
            yield state
    finally:
        state.restore()
