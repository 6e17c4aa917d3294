"""Seconds that work takes on a machine, where arithmetic or memory bounds each kind of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One kind of kernel, over a whole phase; `bytes` are read and written, `kernels` are launches."""

    name: str
    flops: float = 0
    bytes: float = 0
    kernels: float = 0


@dataclass(frozen=True)
class Rates:
    """What a machine reaches in one engine, per device.

    `kernel_s` is the time to launch one kernel, `step_s` what a step takes whatever its size. With
    `launches_ahead` kernels are launched while others run, as on a GPU.
    """

    flops_per_s: float
    bytes_per_s: float
    kernel_s: float
    step_s: float
    launches_ahead: bool = False


def seconds(work: Iterable[Work], rates: Rates) -> float:
    """Return how long a phase takes, without `step_s`.

    The roofline of Williams, Waterman and Patterson (2009), kernel by kernel: the larger of flops over
    their rate and bytes over theirs.
    """
    kinds = list(work)
    busy = sum(max(kind.flops / rates.flops_per_s, kind.bytes / rates.bytes_per_s) for kind in kinds)
    launching = sum(kind.kernels for kind in kinds) * rates.kernel_s
    return max(busy, launching) if rates.launches_ahead else busy + launching
