"""A model's exact mode, kept and given back: checkpointing of every layer, train or eval, embedding hooks.

Calling a model's own `gradient_checkpointing_disable()` and `..._enable()` around generation loses what
was set (every n-th layer, offload, a function of one's own), and each `enable` adds one more hook to the
embeddings. Here nothing is called: the attributes are read, changed and written back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

_CHECKPOINTING = ("gradient_checkpointing", "_gradient_checkpointing_func")
_HOOK_HANDLES = ("_require_grads_hooks", "_require_grads_hook")


class LayerState:
    """A snapshot of what generation has to change in a model, and a way back to it."""

    def __init__(self, model: nn.Module) -> None:
        self._training: list[tuple[nn.Module, bool]] = []
        self._attributes: list[tuple[nn.Module, str, Any]] = []
        self._hooks: list[tuple[nn.Module, dict[int, Any]]] = []
        for module in model.modules():
            self._training.append((module, module.training))
            for name in (*_CHECKPOINTING, *_HOOK_HANDLES):
                if name in vars(module):
                    value = vars(module)[name]
                    self._attributes.append((module, name, list(value) if isinstance(value, list) else value))
            if isinstance(module, nn.Embedding):
                self._hooks.append((module, dict(module._forward_hooks)))

    def restore(self) -> None:
        """Put every layer back as it was; embedding hooks added since are dropped, removed ones are back."""
        for module, training in self._training:
            module.training = training
        for module, name, value in self._attributes:
            setattr(module, name, list(value) if isinstance(value, list) else value)
        for module, hooks in self._hooks:
            module._forward_hooks.clear()
            module._forward_hooks.update(hooks)


@contextmanager
def generating(model: nn.Module) -> Iterator[LayerState]:
    """Inside, the model caches keys and values and drops nothing out; afterwards it is exactly as before.

    A checkpointed layer in train mode silently drops the cache, so both are turned off. The snapshot is
    yielded for callers whose surroundings toggle checkpointing once more.
    """
    state = LayerState(model)
    try:
        for module in model.modules():
            if getattr(module, "gradient_checkpointing", False):
                setattr(module, "gradient_checkpointing", False)  # noqa: B010 (Module's own setter takes tensors only)
        model.eval()
        yield state
    finally:
        state.restore()
