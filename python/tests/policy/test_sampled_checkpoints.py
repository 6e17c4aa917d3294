import json
import os
import shutil
from pathlib import Path

import pytest
from grpo_run import LORA, Stage, checkpoints, start
from tiny_run import write_request

from gavel_train.policy.sampled_checkpoints import UNTRAINED, choose_checkpoints
from gavel_train.run.checkpoints import CheckpointDamaged, chain_names, readable_manifests
from gavel_train.run.outcome import read_request

# All checkpoints are kept: 0, 1, 2, 3, 4.
SETTINGS = {"steps": 4, "save_every": 1, "keep_checkpoints": 5}
LAST = "step-000004.e1"

pytestmark = pytest.mark.usefixtures("imported_once")


def renew_the_thread_pool():
    """A forked child makes torch's pool again on first use; in threads that load weights that is a race."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module", params=["lora", "full", "bfloat16"])
def calm(imported_once, request, tmp_path_factory, tiny_model):
    """An undisturbed run of five checkpoints, of an adapter or of all weights; tests only read it."""
    from conftest import FakeGateway, make_tree

    os.environ["GAVEL_API_KEY"] = "test-key"
    settings = SETTINGS | {"lora": LORA if request.param == "lora" else None}
    if request.param == "bfloat16":
        settings |= {"dtype": "bfloat16", "steps": 2, "save_every": 2}
    root = make_tree(tmp_path_factory.mktemp("calm"), tiny_model)
    gateway = FakeGateway(root / "runs/tiny")
    stage = start(root, 1, gateway, before=renew_the_thread_pool, **settings)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    gateway.stop()
    return root, settings


@pytest.fixture
def trained(calm, root) -> Path:
    """A copy of the run as it was before anything was sampled."""
    shutil.rmtree(root / "runs")
    shutil.copytree(calm[0] / "runs", root / "runs")
    (root / "runs/tiny/grpo/result.json").unlink()
    return root


def last_of(settings: dict) -> str:
    return f"step-{settings['steps']:06d}.e1"


def sample_again(root: Path, gateways, settings: dict) -> Stage:
    last = checkpoints(root) / last_of(settings)
    gateway = gateways(root / "runs/tiny")
    return start(root, 2, gateway, resume_from=last, before=renew_the_thread_pool, **settings)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def weights_in(folder: Path) -> Path:
    (path,) = folder.glob("*model.safetensors")
    return path


def rows(root: Path, name: str) -> list[dict]:
    result = json.loads((root / "runs/tiny/grpo/result.json").read_text())
    path = root / "runs/tiny" / result["artifacts"][name]
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("how", ["bit flip", "truncated", "gone"])
def test_the_untrained_policy_stands_for_a_first_checkpoint_that_is_damaged_and_answers_alike(
    calm, trained, gateways, how
):
    calm_root, settings = calm
    first = checkpoints(trained) / "step-000000.e1"
    if how == "bit flip":
        flip(weights_in(first))
    elif how == "truncated":
        os.truncate(weights_in(first), 100)
    else:
        shutil.rmtree(first)
    stage = sample_again(trained, gateways, settings)
    code, log = stage.wait(), (stage.epoch_dir / "stderr").read_text()
    assert code == 0, log[-3000:]
    assert "untrained weights are sampled as the first one" in log
    assert rows(trained, "eval_rows") == rows(calm_root, "eval_rows")
    found, expected = rows(trained, "audit_rows"), rows(calm_root, "audit_rows")
    assert {row["source"] for row in found if row["id"].startswith("step-000000-")} == {UNTRAINED}
    assert [row | {"source": ""} for row in found] == [row | {"source": ""} for row in expected]
    result = json.loads((trained / "runs/tiny/grpo/result.json").read_text())
    assert "checkpoint_first" not in result["artifacts"] and "checkpoint_last" in result["artifacts"]

    quarantine = trained / "runs/tiny/quarantine"
    if how == "gone":
        assert not quarantine.exists()
        return
    assert not first.exists()
    (reason,) = quarantine.glob("step-000000.e1-*.reason.json")
    told = json.loads(reason.read_text())
    assert "model.safetensors: expected" in told["reason"] and "untrained weights" in told["reason"]
    assert (quarantine / reason.name.removesuffix(".reason.json")).is_dir()


@pytest.fixture
def request_of(tmp_path):
    def make(steps: int, save_every: int):
        grpo = {"steps": steps, "save_every": save_every}
        return read_request(write_request(tmp_path, "grpo", 1, grpo=grpo), "grpo")

    return make


def commit_all(root: Path, request, steps: list[int]) -> Path:
    from gavel_train.run.checkpoints import commit_checkpoint

    parent = None
    for step in steps:
        work = root / "runs/tiny/grpo/epochs/000001/work"
        work.mkdir()
        (work / "weights").write_text(f"weights of {step}")
        parent = commit_checkpoint(request, work, step=step, parent=parent, metrics={}).name
    return root / "runs/tiny/grpo/checkpoints"


def test_a_damaged_middle_is_replaced_by_the_nearest_good_one_and_never_by_first_or_last(
    tmp_path, request_of, capfd
):
    request = request_of(4, 1)
    folder = commit_all(tmp_path, request, [0, 1, 2, 3, 4])
    chosen, damaged = choose_checkpoints(request, LAST)
    assert chosen == {"first": ("step-000000.e1", 0), "middle": ("step-000002.e1", 2), "last": (LAST, 4)}
    assert (damaged, capfd.readouterr().err) == ({}, "")

    flip(folder / "step-000002.e1/weights")
    chosen, damaged = choose_checkpoints(request, LAST)
    assert chosen["middle"] == ("step-000001.e1", 1)
    assert list(damaged) == ["step-000002.e1"]
    assert "weights: expected sha256" in damaged["step-000002.e1"]
    told = capfd.readouterr().err
    assert "step-000002.e1: weights: expected sha256" in told and "step-000001.e1 is sampled" in told

    shutil.rmtree(folder / "step-000001.e1")
    assert choose_checkpoints(request, LAST)[0]["middle"] == ("step-000003.e1", 3)
    (folder / "step-000003.e1/manifest.json").write_text("{")
    chosen, damaged = choose_checkpoints(request, LAST)
    assert chosen == {"first": ("step-000000.e1", 0), "last": (LAST, 4)}
    assert "manifest.json: expected a manifest" in damaged["step-000003.e1"]
    assert "nothing is sampled as the middle one" in capfd.readouterr().err


def test_the_first_is_never_a_later_checkpoint(tmp_path, request_of):
    request = request_of(4, 1)
    folder = commit_all(tmp_path, request, [0, 1, 2, 3, 4])
    shutil.rmtree(folder / "step-000000.e1")
    chosen, damaged = choose_checkpoints(request, LAST)
    assert chosen["first"] == (UNTRAINED, 0) and chosen["middle"] == ("step-000002.e1", 2)
    assert damaged == {}


def test_the_middle_of_a_short_training_is_its_first(tmp_path, request_of):
    request = request_of(2, 2)
    folder = commit_all(tmp_path, request, [0, 2])
    chosen, _ = choose_checkpoints(request, "step-000002.e1")
    assert chosen["middle"] == chosen["first"] == ("step-000000.e1", 0)
    flip(folder / "step-000000.e1/weights")
    chosen, _ = choose_checkpoints(request, "step-000002.e1")
    assert chosen["middle"] == chosen["first"] == (UNTRAINED, 0)


def test_a_damaged_last_checkpoint_is_not_sampled(tmp_path, request_of):
    request = request_of(4, 4)
    folder = commit_all(tmp_path, request, [0, 4])
    flip(folder / LAST / "weights")
    with pytest.raises(CheckpointDamaged, match=r"step-000004\.e1: weights: expected sha256 .* goes on"):
        choose_checkpoints(request, LAST)


def test_the_chain_is_that_of_the_request_and_then_what_the_epoch_has_committed(tmp_path, request_of):
    request = request_of(4, 1)
    folder = commit_all(tmp_path, request, [3, 4])
    # Void: another epoch's, which the request does not name.
    shutil.copytree(folder / LAST, folder / "step-000001.e7")
    named = request.model_copy(update={"chain": ["step-000000.e5", "step-000002.e6"]})
    assert chain_names(named) == ["step-000000.e5", "step-000002.e6", "step-000003.e1", LAST]
    (folder / "step-000003.e1/manifest.json").unlink()
    assert [manifest.name for manifest in readable_manifests(folder, chain_names(named))] == [LAST]
