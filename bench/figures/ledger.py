"""`ledger`: what gavel does with many traces, beside a plain loop over JSON Lines in the same language.

A plain side checks nothing; gavel's checks the checksum and the number of every line that it reads. Each
side runs in a process of its own, whose peak of resident memory is kept.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from figures.figure import Figure, Ratio, compare
from figures.ledger_prune import prune_cost
from figures.servers import NODE, ROOT

TRACES, FEWER = 1_000_000, 100_000
QUICK = 50_000
_SPEED_AT_LEAST = 0.5
# An index of the keys may grow; traces, which have some 3,000 bytes, may not be held.
_BYTES_A_TRACE_AT_MOST = 256
# A resume that has a hundredth of the traces to look at takes at most a tenth of the time.
_TIMES_FASTER = 10
# Traces of the checkpoints that bench/ledger/run.ts writes; a hundredth of all at least.
_IN_CHECKPOINT, _NEW_SHARE = 1000, 100
_TASKS = ("replay", "replay-lines", "filter", "export", "resume")


@dataclass(frozen=True)
class _Took:
    seconds: float
    peak_mb: float
    found: int


def measure(*, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Return cells of speed and memory for each task, of a second resume, and of pruning."""
    many, few = (QUICK, QUICK // 10) if quick else (TRACES, FEWER)
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as smaller:
        _write(Path(smaller), few)
        peaks = {task: _side(task, "gavel", Path(smaller)).peak_mb for task in _TASKS}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as folder:
        root = Path(folder)
        _write(root, many)
        for task in _TASKS:
            figures += _cells(task, root, many, few, peaks[task], quick=quick)
            say(f"{task}: {figures[-2].sides} {figures[-2].ratio}, {figures[-1].sides}")
        figures.append(_second_resume(root, many))
    figures.append(prune_cost(quick=quick))
    for each in figures[-2:]:
        say(f"{each.shape}: {each.sides}, ratio {each.ratio}")
    return figures


def _write(root: Path, traces: int, epoch: int | None = None) -> None:
    script = str(ROOT / "bench/ledger/run.ts")
    subprocess.run(
        [*NODE, script, str(root), str(traces), *([] if epoch is None else [str(epoch)])],
        check=True,
        cwd=ROOT,
    )


def _side(task: str, side: str, root: Path) -> _Took:
    if task == "export":
        command = [sys.executable, "-m", "figures.ledger_side"]
    else:
        command = [*NODE, str(ROOT / "bench/ledger/side.ts")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'python'}:{ROOT / 'bench'}"}
    done = subprocess.run(
        [*command, task, side, str(root)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    return _Took(**json.loads(done.stdout))


def _cells(task: str, root: Path, many: int, few: int, peak_of_few: float, *, quick: bool) -> list[Figure]:
    took: dict[str, list[_Took]] = {"plain": [], "gavel": []}
    for _ in range(1 if quick else 3):
        for side, found in took.items():
            found.append(_side(task, side, root))
    speeds = {side: [many / each.seconds for each in found] for side, found in took.items()}
    shape = f"{task}, {many:,} traces"
    speed = compare("speed", f"{shape}, traces per s", speeds, ours="gavel", target=_SPEED_AT_LEAST)
    plain, ours = (statistics.median(each.peak_mb for each in took[side]) for side in ("plain", "gavel"))
    bytes_a_trace = (ours - peak_of_few) * 2**20 / (many - few)
    memory = Figure(
        id="memory",
        shape=f"{shape}, peak of resident memory: {bytes_a_trace:.0f} bytes more for each trace",
        sides={
            f"gavel, {few:,} traces, MiB": round(peak_of_few),
            "gavel, MiB": round(ours),
            "plain, MiB": round(plain),
        },
        ratio=_single(plain / ours),
        target=None,
        # With few traces the room that a garbage collector leaves is most of the difference.
        met=None if quick else bytes_a_trace <= _BYTES_A_TRACE_AT_MOST,
    )
    return [speed, memory]


def _second_resume(root: Path, traces: int) -> Figure:
    """Resume when all traces are new since the last attempt, then when few are."""
    epochs = root / "runs/bench/grpo/epochs"
    whole = _side("resume", "gavel", root).seconds
    new = max(_IN_CHECKPOINT, traces // _NEW_SHARE)
    _write(root, new, epoch=max(int(path.name) for path in epochs.iterdir()))
    little = _side("resume", "gavel", root).seconds
    ratio = whole / little
    return Figure(
        id="new",
        shape=f"resume, {traces:,} traces, seconds by how many are new since the last attempt",
        sides={"all": round(whole, 2), f"{new:,}": round(little, 2)},
        ratio=_single(ratio),
        target=float(_TIMES_FASTER),
        met=ratio >= _TIMES_FASTER,
    )


def _single(value: float) -> Ratio:
    return Ratio(*(round(value, 3),) * 3)
