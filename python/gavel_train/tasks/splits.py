"""The splits of a run's prompts, and how one pool of rows is dealt out to them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gavel_train.tasks.json_lines import UnusableData

SPLITS = ("train", "eval", "audit")


def dealt_out(
    pool: list[dict[str, Any]], sizes: dict[str, int], seed: str, path: Path
) -> dict[str, list[dict[str, Any]]]:
    """Shuffle rows and deal them out; raises UnusableData where `path` had too few."""
    wanted = sum(sizes[split] for split in SPLITS)
    if len(pool) < wanted:
        raise UnusableData(
            f"{path}: expected at least {wanted} distinct prompts (train, eval and audit), found {len(pool)}"
        )
    rest = list(pool)
    random.Random(seed).shuffle(rest)
    splits: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        splits[split], rest = rest[: sizes[split]], rest[sizes[split] :]
    return splits
