"""The commit protocol: a checkpoint is there whole or not at all, and the chain of parents says what counts.

Write in the epoch's own place, fsync files and folder, manifest last, rename into `checkpoints/`,
replace the epoch's HEAD, fsync the parents. A folder without a manifest was never committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import Head, Manifest, ManifestFile, StageRequest
from gavel_train.run.directory import (
    check_newest,
    checkpoint_name,
    fsync_path,
    now,
    run_dir_of,
    sha256_of,
    write_atomically,
)
from gavel_train.run.failpoints import failpoint

MANIFEST = "manifest.json"
ROLLOUTS = "rollouts.jsonl"
# Written before the first file of a pruned checkpoint goes: what is left is a link of the chain, not damage.
PRUNED = "pruned.json"

_NAME = re.compile(r"step-(\d{6,})\.e(\d+)")


class CheckpointDamaged(Exception):
    """A checkpoint that cannot be done without is not what was committed."""


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
        step=min(step, 2) if failpoint("wrong-step") else step,
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
    if failpoint("write-after-digest"):
        (work / ROLLOUTS).open("a").write("\n")
    work.rename(target)
    head = Head(checkpoint=name, step=step, manifest_sha256=hashlib.sha256(data).hexdigest())
    if not failpoint("head-before-fsync"):
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


def step_of(name: str) -> int:
    """Return the step in a checkpoint's name; raises ValueError for another name."""
    return _step_and_epoch(name)[0]


def damage_of(folder: Path) -> str | None:
    """Return how a checkpoint differs from its manifest (names, sizes, sha256), None where it does not.

    Raises OSError where a file cannot be read, which says nothing about what it holds.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return f"{MANIFEST}: expected the list of its files, got no file"
    manifest = _readable_manifest(folder)
    if manifest is None:
        return f"{MANIFEST}: expected a manifest, got something else"
    if manifest.name != folder.name:
        return f"{MANIFEST}: expected the name {folder.name}, got {manifest.name}"
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name}: expected {expected.bytes} bytes, got no file"
        if file.stat().st_size != expected.bytes:
            return f"{name}: expected {expected.bytes} bytes, got {file.stat().st_size}"
    for name, expected in manifest.files.items():
        found = sha256_of(folder / name)
        if found != expected.sha256:
            return f"{name}: expected sha256 {expected.sha256}, got {found}"
    return None


def quarantine(folder: Path, reason: str, run_dir: Path) -> Path | None:
    """Move a checkpoint to the run's quarantine/, its reason beside it; None where it is gone already.

    Names and the reason's form are those of `quarantine` in src/run-directory/checkpoints.ts.
    """
    place = run_dir / "quarantine"
    place.mkdir(exist_ok=True)
    target = place / f"{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        folder.rename(target)
    except FileNotFoundError:
        return None
    told = {"from": str(folder), "reason": reason, "at": now()}
    write_atomically(place / f"{target.name}.reason.json", json.dumps(told, indent=2) + "\n")
    fsync_path(folder.parent)
    return target


def chain_names(request: StageRequest) -> list[str]:
    """Return the names of the checkpoints that count, oldest first, pruned and damaged ones too.

    Those that the attempt goes on from are in its request; this epoch's own follow.
    """
    checkpoints = run_dir_of(request) / request.stage / "checkpoints"
    own = [path.name for path in checkpoints.glob(f"step-*.e{request.epoch}") if _NAME.fullmatch(path.name)]
    return [*request.chain, *sorted(own, key=step_of)]


def readable_manifests(checkpoints: Path, names: Sequence[str]) -> list[Manifest]:
    """Return the manifests of checkpoints, without those that cannot be read."""
    found = (_readable_manifest(checkpoints / name) for name in names)
    return [manifest for manifest in found if manifest is not None]


def middle_step(steps: int, save_every: int) -> int:
    """Return the planned checkpoint step nearest to half way, which the audit samples from."""
    planned = [*range(0, steps, save_every), steps]
    return min(planned, key=lambda step: abs(2 * step - steps))


def prune(
    checkpoints: Path,
    chain: list[Manifest],
    *,
    keep_newest: int,
    keep_steps: Collection[int],
    best_by: str | None,
) -> list[str]:
    """Delete the weights of checkpoints that no later step needs; return their names.

    Kept whole: the newest `keep_newest`, the one whose metric `best_by` is highest, and those of
    `keep_steps`. Of the others the manifest and the rollouts stay: the first keeps the chain walkable, and
    the second names the trace of every committed rollout.
    """
    kept = {m.name for m in chain[-keep_newest:]} | {m.name for m in chain if m.step in keep_steps}
    if best_by is not None:
        kept.add(max(chain, key=lambda manifest: _metric(manifest, best_by)).name)
    dropped = [m for m in chain if m.name not in kept and not is_pruned(checkpoints / m.name)]
    for manifest in dropped:
        folder = checkpoints / manifest.name
        left = [MANIFEST, *([ROLLOUTS] if ROLLOUTS in manifest.files else [])]
        write_atomically(folder / PRUNED, json.dumps({"kept": left}) + "\n")
        for path in manifest.files:
            if path != ROLLOUTS:
                (folder / path).unlink(missing_ok=True)
    return [m.name for m in dropped]


def _step_and_epoch(name: str) -> tuple[int, int]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"Expected the name of a checkpoint, say step-000060.e1, got {name}")
    return int(match[1]), int(match[2])


def _readable_manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def _metric(manifest: Manifest, name: str) -> float:
    value = manifest.metrics.get(name)
    return float("-inf") if value is None else value


def _durable_files(work: Path) -> dict[str, ManifestFile]:
    files: dict[str, ManifestFile] = {}
    for folder, _, names in os.walk(work):
        for name in sorted(names):
            path = Path(folder) / name
            if not failpoint("skip-file-fsync"):
                fsync_path(path)
            relative = path.relative_to(work).as_posix()
            files[relative] = ManifestFile(bytes=path.stat().st_size, sha256=sha256_of(path))
        fsync_path(Path(folder))
    return dict(sorted(files.items()))
