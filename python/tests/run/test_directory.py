import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from tiny_run import write_request

from gavel_train.contracts import PromptRow
from gavel_train.run import checkpoints
from gavel_train.run import directory as run_directory
from gavel_train.run.checkpoints import (
    chain_names,
    commit_checkpoint,
    is_pruned,
    middle_step,
    prune,
    readable_manifests,
    step_of,
)
from gavel_train.run.directory import Superseded, publish_result, read_rows, write_atomically
from gavel_train.run.outcome import read_request
from gavel_train.run.pruning import Pruning


@pytest.fixture
def request_of(tmp_path):
    def make(epoch: int):
        return read_request(write_request(tmp_path, "grpo", epoch), "grpo")

    return make


def stage_dir(root: Path) -> Path:
    return root / "runs/tiny/grpo"


def work_folder(root: Path, epoch: int, text: str = "weights") -> Path:
    work = stage_dir(root) / "epochs" / f"{epoch:06d}" / "work" / "checkpoint"
    (work / "deep").mkdir(parents=True)
    (work / "model.bin").write_text(text)
    (work / "rng_state.pth").write_text("random")
    (work / "deep" / "more.bin").write_text("more")
    (work / "rollouts.jsonl").write_text("{}\n")
    return work


def commit(root: Path, request, step: int, parent: str | None = None, reward: float | None = None):
    work = work_folder(root, request.epoch)
    return commit_checkpoint(request, work, step=step, parent=parent, metrics={"reward": reward})


def test_a_commit_moves_the_folder_names_every_file_and_replaces_head(tmp_path, request_of):
    manifest = commit(tmp_path, request_of(3), 20, parent="step-000010.e2")
    folder = stage_dir(tmp_path) / "checkpoints" / "step-000020.e3"
    assert set(manifest.files) == {"model.bin", "rng_state.pth", "deep/more.bin", "rollouts.jsonl"}
    assert manifest.files["model.bin"].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert manifest.parent == "step-000010.e2" and manifest.rng_sha256
    head = json.loads((stage_dir(tmp_path) / "epochs/000003/HEAD").read_text())
    assert head == {
        "checkpoint": "step-000020.e3",
        "step": 20,
        "manifest_sha256": hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest(),
    }


def test_files_are_durable_before_the_manifest_and_the_manifest_before_the_rename(
    tmp_path, request_of, monkeypatch
):
    seen: list[str] = []
    real_fsync, real_rename, real_replace = os.fsync, Path.rename, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (seen.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real_fsync(fd))[1]
    )
    monkeypatch.setattr(Path, "rename", lambda a, b: (seen.append(f"rename {b.name}"), real_rename(a, b))[1])
    monkeypatch.setattr(
        Path, "replace", lambda a, b: (seen.append(f"replace {b.name}"), real_replace(a, b))[1]
    )
    commit(tmp_path, request_of(1), 5)
    order = [
        next(i for i, s in enumerate(seen) if s.endswith("model.bin")),
        next(i for i, s in enumerate(seen) if "manifest.json" in s and "partial" in s),
        seen.index("replace manifest.json"),
        seen.index("rename step-000005.e1"),
        next(i for i, s in enumerate(seen) if s.endswith("grpo/checkpoints")),
        seen.index("replace HEAD"),
    ]
    assert order == sorted(order)
    assert seen[-1].endswith("epochs/000001")


def test_an_older_epoch_cannot_commit_once_a_newer_one_was_taken(tmp_path, request_of):
    old = request_of(1)
    # The exclusive create of the folder is the fence; the record in it comes later.
    (stage_dir(tmp_path) / "epochs/000002").mkdir()
    with pytest.raises(Superseded, match="epoch 1 was superseded by epoch 2"):
        commit(tmp_path, old, 5)
    assert not (stage_dir(tmp_path) / "checkpoints").exists()


def test_a_full_disk_leaves_the_committed_checkpoint_and_head_as_they_were(tmp_path, request_of, monkeypatch):
    request = request_of(1)
    commit(tmp_path, request, 5)
    before = {p: p.read_bytes() for p in stage_dir(tmp_path).rglob("*") if p.is_file()}

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    work = work_folder(tmp_path, 1, "newer")
    monkeypatch.setattr(checkpoints, "fsync_path", full)
    with pytest.raises(OSError, match="No space left"):
        commit_checkpoint(request, work, step=10, parent=None, metrics={})
    assert {p: p.read_bytes() for p in before} == before
    assert not (stage_dir(tmp_path) / "checkpoints/step-000010.e1").exists()


def test_pruning_keeps_the_newest_the_best_and_those_of_the_audit(tmp_path, request_of):
    request, parent = request_of(1), None
    rewards = [None, 0.2, 0.9, 0.3, 0.4, 0.5, 0.6]
    for step, reward in enumerate(rewards):
        parent = commit(tmp_path, request, step, parent, reward).name
    folder = stage_dir(tmp_path) / "checkpoints"
    dropped = prune(
        folder,
        readable_manifests(folder, chain_names(request)),
        keep_newest=2,
        keep_steps={0, 3},
        best_by="reward",
    )
    assert dropped == ["step-000001.e1", "step-000004.e1"]
    assert [m.step for m in readable_manifests(folder, chain_names(request))] == [0, 1, 2, 3, 4, 5, 6]
    for name in dropped:
        left = {p.name for p in (folder / name).rglob("*") if p.is_file()}
        assert left == {"manifest.json", "rollouts.jsonl", "pruned.json"}
        assert is_pruned(folder / name)
    assert (
        prune(
            folder,
            readable_manifests(folder, chain_names(request)),
            keep_newest=2,
            keep_steps={0, 3},
            best_by="reward",
        )
        == []
    )


def test_the_middle_is_the_planned_checkpoint_nearest_to_half_way():
    assert middle_step(60, 10) == 30
    assert middle_step(5, 2) == 2
    assert middle_step(3, 100) == 0


def test_a_result_is_published_once_and_only_by_the_newest_epoch(tmp_path, request_of):
    old, new = request_of(1), request_of(2)
    report = tmp_path / "runs/tiny/grpo/epochs/000002/audit-rows.jsonl"
    report.write_text("{}\n")
    with pytest.raises(Superseded):
        publish_result(old, step=4, checkpoint=None, metrics={}, artifacts={})
    for _ in range(2):  # killed right after publishing, the epoch's process may publish again
        path = publish_result(
            new, step=4, checkpoint="c", metrics={"reward": 1}, artifacts={"audit_rows": report}
        )
    result = json.loads(path.read_text())
    assert result["epoch"] == 2
    assert result["artifacts"] == {"audit_rows": "grpo/epochs/000002/audit-rows.jsonl"}
    (path.parent / "epochs/000003").mkdir()
    with pytest.raises(Superseded):
        publish_result(new, step=4, checkpoint=None, metrics={}, artifacts={})


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_directory.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


def test_a_bad_row_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "prompt": "p", "ground_truth": null, "meta": {}}\n\n{"id": 3}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl:3: expected a PromptRow"):
        read_rows(path, PromptRow)


def test_pruning_reads_the_chain_once_and_drops_what_prune_would(request_of, tmp_path):
    request, folder = request_of(1), stage_dir(tmp_path) / "checkpoints"
    pruning = Pruning(folder, keep_newest=2, keep_steps=frozenset({1}), best_by="reward")
    looked: list[int] = []

    def chain() -> list[str]:
        looked.append(1)
        return chain_names(request)

    dropped, parent = [], None
    for step, reward in enumerate([0.1, 0.2, 0.9, 0.3, 0.4, 0.5]):
        work = work_folder(tmp_path, 1)
        manifest = commit_checkpoint(request, work, step=step, parent=parent, metrics={"reward": reward})
        parent = manifest.name
        dropped += pruning.after(manifest, chain)
    assert [step_of(name) for name in dropped] == [0, 3]
    assert looked == [1]
    whole = [path.name for path in sorted(folder.iterdir()) if not is_pruned(path)]
    assert [step_of(name) for name in whole] == [1, 2, 4, 5]
