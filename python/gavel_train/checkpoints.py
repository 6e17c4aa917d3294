"""The commit protocol: a checkpoint is there whole or not at all, and the chain of parents says what counts.

Write in the epoch's own place, fsync files and folder, manifest last, rename into `checkpoints/`,
replace the epoch's HEAD, fsync the parents. A folder without a manifest was never committed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from gavel_train.contracts import Files, Head, Manifest, StageRequest
from gavel_train.run_directory import (
    check_newest,
    checkpoint_name,
    fsync_path,
    now,
    run_dir_of,
    sha256_of,
    write_atomically,
)

MANIFEST = "manifest.json"
ROLLOUTS = "rollouts.jsonl"
# Written before the first file of a pruned checkpoint goes: what is left is a link of the chain, not damage.
PRUNED = "pruned.json"


def commit_checkpoint(
    request: StageRequest,
    work: Path,
    *,
    step: int,
    parent: str | None,
    metrics: Mapping[str, float | None],
) -> Manifest:
    """Commit the folder `work` (inside the epoch's own place) as the stage's checkpoint of `step`.

    Raises Superseded if a newer epoch exists, and OSError (disk full, say) with the last good
    checkpoint untouched: until the rename nothing outside `work` changes.
    """
    stage_dir = run_dir_of(request) / request.stage
    name = checkpoint_name(step, request.epoch)
    files = _durable_files(work)
    rng = hashlib.sha256()
    rng_files = sorted(path for path in files if path.startswith("rng_state"))
    for path in rng_files:
        rng.update(files[path].sha256.encode())
    manifest = Manifest(
        stage=request.stage,
        name=name,
        epoch=request.epoch,
        step=step,
        parent=parent,
        files=files,
        rng_sha256=rng.hexdigest() if rng_files else None,
        metrics=dict(metrics),
        created_at=now(),
    )
    data = (manifest.model_dump_json(indent=2) + "\n").encode()
    write_atomically(work / MANIFEST, data)
    check_newest(stage_dir, request.epoch)
    checkpoints = stage_dir / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    target = checkpoints / name
    if target.exists() and not is_committed(target):
        shutil.rmtree(target)
    work.rename(target)
    head = Head(checkpoint=name, step=step, manifest_sha256=hashlib.sha256(data).hexdigest())
    fsync_path(checkpoints)
    write_atomically(
        stage_dir / "epochs" / f"{request.epoch:06d}" / "HEAD", head.model_dump_json(indent=2) + "\n"
    )
    return manifest


def is_committed(folder: Path) -> bool:
    """Return whether a checkpoint folder was committed."""
    return (folder / MANIFEST).is_file()


def is_pruned(folder: Path) -> bool:
    """Return whether only the manifest and the rollouts of a checkpoint are left."""
    return (folder / PRUNED).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read a checkpoint's manifest."""
    return Manifest.model_validate_json((folder / MANIFEST).read_bytes())


def chain_of(checkpoints: Path, name: str | None) -> list[Manifest]:
    """Return the manifests from the first checkpoint to `name`, by parents; a missing parent ends it."""
    chain: list[Manifest] = []
    while name is not None and is_committed(checkpoints / name):
        manifest = read_manifest(checkpoints / name)
        chain.append(manifest)
        name = manifest.parent
    return chain[::-1]


def middle_step(steps: int, save_every: int) -> int:
    """Return the planned checkpoint step nearest to half way, which the audit samples from."""
    planned = [*range(0, steps, save_every), steps]
    return min(planned, key=lambda step: abs(2 * step - steps))


def prune(checkpoints: Path, chain: list[Manifest], *, keep_newest: int, keep_steps: set[int]) -> list[str]:
    """Delete the weights of checkpoints that nobody will ask for; return their names.

    Kept whole: the newest `keep_newest`, the one of the best reward, and those of `keep_steps`. Of the
    others the manifest and the rollouts stay: the first keeps the chain walkable, and the second names
    the trace of every committed rollout.
    """
    best = max(chain, key=_reward)
    kept = (
        {m.name for m in chain[-keep_newest:]} | {best.name} | {m.name for m in chain if m.step in keep_steps}
    )
    dropped = [m for m in chain if m.name not in kept and not is_pruned(checkpoints / m.name)]
    for manifest in dropped:
        folder = checkpoints / manifest.name
        write_atomically(folder / PRUNED, '{"kept": ["manifest.json", "rollouts.jsonl"]}\n')
        for path in manifest.files:
            if path != ROLLOUTS:
                (folder / path).unlink(missing_ok=True)
    return [m.name for m in dropped]


def _reward(manifest: Manifest) -> float:
    reward = manifest.metrics.get("reward")
    return float("-inf") if reward is None else reward


def _durable_files(work: Path) -> dict[str, Files]:
    files: dict[str, Files] = {}
    for folder, _, names in os.walk(work):
        for name in sorted(names):
            path = Path(folder) / name
            fsync_path(path)
            relative = path.relative_to(work).as_posix()
            files[relative] = Files(bytes=path.stat().st_size, sha256=sha256_of(path))
        fsync_path(Path(folder))
    return dict(sorted(files.items()))
