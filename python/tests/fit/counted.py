"""Counts what PyTorch computes: flops and bytes of matrix products, bytes of other kernels, and kernels."""

from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# Neither computes nor moves anything.
FREE = {"detach", "alias", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
PRODUCTS = ("mm", "bmm", "addmm", "baddbmm")


@dataclass
class Counts:
    flops: float = 0
    product_bytes: float = 0
    other_bytes: float = 0
    kernels: int = 0


class Counter(TorchDispatchMode):
    """Inside, every kernel is counted in `counts`, with the bytes of the tensors that it takes and gives."""

    def __init__(self):
        super().__init__()
        self.counts = Counts()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        # A product that is added in place is one like others.
        name = func._schema.name.split("::")[1].removesuffix("_")
        # A view shares its memory with what it is taken of, and writes nothing.
        is_view = any(
            one.alias_info is not None and not one.alias_info.is_write for one in func._schema.returns
        )
        if is_view or name in FREE or name == "_unsafe_view":
            return out
        counts = self.counts
        counts.kernels += 1
        tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if name in PRODUCTS or "scaled_dot_product" in name:
            counts.product_bytes += size
            formula = flop_registry.get(getattr(torch.ops.aten, name))
            counts.flops += formula(*args, **kwargs, out_val=out) if formula else 0
        else:
            counts.other_bytes += size
        return out
