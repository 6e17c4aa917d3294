"""Which checkpoints of a training the audit samples: first, middle and last, each as it was committed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gavel_train.contracts import StageRequest
from gavel_train.run.checkpoints import (
    CheckpointDamaged,
    chain_names,
    damage_of,
    is_pruned,
    middle_step,
    step_of,
)
from gavel_train.run.directory import run_dir_of
from gavel_train.run.lifetime import rank

# Stands for step 0 where that is damaged or gone: the policy's own weights. A fresh adapter adds exactly
# nothing to them, so the completions are those of step 0.
UNTRAINED = "untrained"


def choose_checkpoints(request: StageRequest, last: str) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """Return name and step of the first, middle and last checkpoint, and what is wrong with damaged ones.

    Each is checked against its manifest. The first is step 0, else UNTRAINED. The middle is the good one
    nearest to half way; it is left out where none is good between first and last. Raises
    CheckpointDamaged for the last.
    """
    grpo = request.spec.grpo
    folder = run_dir_of(request) / request.stage / "checkpoints"
    reason = damage_of(folder / last)
    if reason is not None:
        raise CheckpointDamaged(
            f"{folder / last}: {reason}. The next attempt at the stage moves it to quarantine/ and goes on "
            "from its parent."
        )
    chain = chain_names(request)
    links = [name for name in chain if (folder / name).is_dir() and not is_pruned(folder / name)]
    damaged: dict[str, str] = {}
    own = "the policy's own, untrained weights"
    first = _first_good(folder, [name for name in links if step_of(name) == 0], damaged, instead=own)
    if first is None:
        _warn(
            f"{folder}: expected a good checkpoint of step 0, found none: {own} are sampled as the first one."
        )
    chosen = {"first": (first or UNTRAINED, 0)}
    end, wanted = step_of(last), middle_step(grpo.steps, grpo.save_every)
    if wanted == 0:
        # A short training has none in between.
        return chosen | {"middle": chosen["first"], "last": (last, end)}, damaged
    between = [name for name in links if 0 < step_of(name) < end]
    between.sort(key=lambda name: abs(step_of(name) - wanted))
    middle = _first_good(folder, between, damaged, instead="the nearest good one, if there is one")
    if middle is not None:
        chosen["middle"] = (middle, step_of(middle))
    if middle is None or step_of(middle) != wanted:
        _warn(
            f"{folder}: expected a good checkpoint of step {wanted}, found none: {middle or 'nothing'} is "
            "sampled as the middle one."
        )
    return chosen | {"last": (last, end)}, damaged


def weights_of(request: StageRequest, name: str) -> Path | None:
    """Return the folder of a chosen checkpoint; None for UNTRAINED, which has none."""
    if name == UNTRAINED:
        return None
    return run_dir_of(request) / request.stage / "checkpoints" / name


def _first_good(folder: Path, names: Sequence[str], damaged: dict[str, str], *, instead: str) -> str | None:
    """Return the first that is as committed; add those before it to `damaged`, and say so."""
    for name in names:
        reason = damage_of(folder / name)
        if reason is None:
            return name
        damaged[name] = f"{reason}; the audit samples {instead}"
        _warn(f"{folder / name}: {reason}. It goes to quarantine/.")
    return None


def _warn(message: str) -> None:
    if rank() == 0:
        print(message, file=sys.stderr)
