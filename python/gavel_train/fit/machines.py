"""What machines reach: measured for a CPU by the bench, published for GPUs."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path

from gavel_train.fit.roofline import Rates

# Written by `npm run bench -- --only plan` on the machine that it names.
MEASURED = Path(__file__).with_name("measured_rates.json")


@dataclass(frozen=True)
class Engines:
    """Rates of one device in an update, in the engine `cached` and in vLLM; `source` is where they are from.

    A pass for one token of some rows reaches other rates than one over whole texts.
    """

    trainer: Rates
    cached: Rates
    vllm: Rates
    source: str


@dataclass(frozen=True)
class _Gpu:
    """NVIDIA's data sheet: dense bf16 flops per second of tensor cores, bytes per second of memory."""

    flops_per_s: float
    bytes_per_s: float


# By words of the name that nvidia-smi gives; the first entry whose words are all in it counts.
_GPUS = (
    (("H200",), _Gpu(989e12, 4.8e12)),
    (("H100", "PCIe"), _Gpu(756e12, 2.0e12)),
    (("H100",), _Gpu(989e12, 3.35e12)),
    (("A100", "80GB"), _Gpu(312e12, 2.0e12)),
    (("A100",), _Gpu(312e12, 1.555e12)),
)
# Assumed: no GPU was at hand to fit them. Shares of the data sheet, seconds to launch a kernel from Python,
# and from a CUDA graph, and of a step: to collate it, to reduce gradients, to load an adapter.
_TRAINER_FLOPS, _VLLM_FLOPS, _BANDWIDTH = 0.4, 0.5, 0.7
_LAUNCH_S, _GRAPH_LAUNCH_S = 8e-6, 1e-6
_TRAINER_STEP_S, _VLLM_STEP_S = 0.3, 0.3


def of_gpu(name: str) -> Engines | None:
    """Return the rates of a GPU by its name; None where it is unknown."""
    for words, gpu in _GPUS:
        if all(word.lower() in name.lower() for word in words):
            bandwidth = _BANDWIDTH * gpu.bytes_per_s
            return Engines(
                Rates(_TRAINER_FLOPS * gpu.flops_per_s, bandwidth, _LAUNCH_S, _TRAINER_STEP_S, True),
                Rates(_TRAINER_FLOPS * gpu.flops_per_s, bandwidth, _LAUNCH_S, 0.0, True),
                Rates(_VLLM_FLOPS * gpu.flops_per_s, bandwidth, _GRAPH_LAUNCH_S, _VLLM_STEP_S, True),
                f"{name}: {_TRAINER_FLOPS:.0%} (trainer) and {_VLLM_FLOPS:.0%} (vLLM) of "
                f"{gpu.flops_per_s / 1e12:.0f} TFLOP/s, {_BANDWIDTH:.0%} of "
                f"{gpu.bytes_per_s / 1e12:.2f} TB/s; the shares are assumed, not measured",
            )
    return None


def of_cpu(name: str | None = None, measured: Path = MEASURED) -> Engines | None:
    """Return the rates of one core in float32, where the bench measured this processor; else None."""
    if not measured.is_file():
        return None
    found = json.loads(measured.read_text())
    if found["processor"] != (name or processor()):
        return None
    trainer, cached, vllm = (Rates(**found[engine]) for engine in ("trainer", "cached", "vllm"))
    return Engines(trainer, cached, vllm, f"{found['processor']}: {found['source']}")


def processor() -> str:
    """Return the name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
