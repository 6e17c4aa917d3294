"""Pruning after each commit, in time that does not grow with the chain."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from gavel_train.contracts import Manifest
from gavel_train.run.checkpoints import is_pruned, prune, readable_manifests


class Pruning:
    """Prunes what no later step needs, and knows from commit to commit which checkpoints are whole.

    To read the manifests of a long chain at each commit takes longer than a step.
    """

    def __init__(
        self, checkpoints: Path, *, keep_newest: int, keep_steps: Collection[int], best_by: str | None
    ) -> None:
        self._checkpoints = checkpoints
        self._keep_newest = keep_newest
        self._keep_steps = keep_steps
        self._best_by = best_by
        self._whole: list[Manifest] | None = None

    def after(self, committed: Manifest, chain: Callable[[], list[str]]) -> list[str]:
        """Prune after a commit and return the names of what was pruned.

        The first call looks at all that `chain` names, `committed` among them, oldest first.
        """
        if self._whole is None:
            names = [name for name in chain() if not is_pruned(self._checkpoints / name)]
            self._whole = readable_manifests(self._checkpoints, names)
        else:
            self._whole.append(committed)
        dropped = prune(
            self._checkpoints,
            self._whole,
            keep_newest=self._keep_newest,
            keep_steps=self._keep_steps,
            best_by=self._best_by,
        )
        self._whole = [manifest for manifest in self._whole if manifest.name not in dropped]
        return dropped
