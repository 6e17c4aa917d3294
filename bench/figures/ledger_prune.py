"""What pruning after a commit costs in a chain of checkpoints and in one ten times as long."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from figures.figure import Figure, Ratio
from gavel_train.contracts import Manifest, ManifestFile
from gavel_train.run.checkpoints import MANIFEST
from gavel_train.run.directory import checkpoint_name, now
from gavel_train.run.pruning import Pruning

_COMMITS = 50
_SPEED_KEPT = 0.67


def prune_cost(*, quick: bool) -> Figure:
    """Return the cell: commits per second of the short chain and of the long one."""
    short, long = (100, 1000) if quick else (1000, 10_000)
    found = {length: _commits_per_s(length) for length in (short, long)}
    ratios = [of_long / of_short for of_long, of_short in zip(found[long], found[short], strict=True)]
    ratio = Ratio(*(round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))))
    return Figure(
        id="prune",
        shape=f"prune after a commit, chains of {short:,} and {long:,} checkpoints, per s",
        sides={f"{length:,}": round(statistics.median(speeds), 1) for length, speeds in found.items()},
        ratio=ratio,
        target=_SPEED_KEPT,
        met=ratio.median >= _SPEED_KEPT,
    )


def _commits_per_s(length: int) -> list[float]:
    speeds = []
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as folder:
        checkpoints = Path(folder)
        pruning = Pruning(checkpoints, keep_newest=2, keep_steps=frozenset({0}), best_by="reward")
        names = [_commit(checkpoints, step).name for step in range(length)]
        # An attempt's first commit looks at all of the chain, once.
        names.append((first := _commit(checkpoints, length)).name)
        pruning.after(first, lambda: names)
        for step in range(length + 1, length + 1 + _COMMITS):
            committed = _commit(checkpoints, step)
            began = time.perf_counter()
            pruning.after(committed, lambda: names)
            speeds.append(1 / (time.perf_counter() - began))
    return speeds


def _commit(checkpoints: Path, step: int) -> Manifest:
    name = checkpoint_name(step, 1)
    folder = checkpoints / name
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    manifest = Manifest(
        stage="grpo",
        name=name,
        epoch=1,
        step=step,
        parent=checkpoint_name(step - 1, 1) if step > 0 else None,
        files={"model.safetensors": ManifestFile(bytes=0, sha256="0" * 64)},
        rng_sha256=None,
        metrics={"reward": 0.5},
        created_at=now(),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return manifest
