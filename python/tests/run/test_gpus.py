"""A trainer that was given GPUs, and what torch sees of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import make_root, write_request

from gavel_train.run.gpus import local_rank, refuse_unseen_gpus
from gavel_train.run.outcome import BadRequest

PYTHON = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def given(monkeypatch):
    monkeypatch.delenv("GAVEL_GPUS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")


def cuda(monkeypatch, *, seen, built_for="13.0", says=None):
    """Let torch be a build that sees so many GPUs."""

    def init():
        if says:
            raise RuntimeError(says)

    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    monkeypatch.setattr(torch.cuda, "init", init)


def refusal():
    with pytest.raises(BadRequest) as error:
        refuse_unseen_gpus()
    assert error.value.field == "placement.trainer_gpus"
    return str(error.value)


def test_a_driver_that_is_too_old_is_named_in_its_own_words(monkeypatch):
    says = "The NVIDIA driver on your system is too old (found version 12020)."
    cuda(monkeypatch, seen=0, says=says)
    said = refusal()
    assert "2 GPUs that this process was given (CUDA_VISIBLE_DEVICES=GPU-a,GPU-b), found 0" in said
    assert says.rstrip(".") in said
    assert "CUDA 13.0" in said
    assert "gavel doctor" in said


def test_a_torch_without_cuda_is_told_how_to_get_one(monkeypatch):
    cuda(monkeypatch, seen=0, built_for=None)
    assert "is built without CUDA. Run `npm run setup` on a machine with a GPU" in refusal()


def test_fewer_gpus_than_were_given_are_refused(monkeypatch):
    cuda(monkeypatch, seen=1)
    assert "found 1" in refusal()


@pytest.mark.parametrize("seen", [2, 3])
def test_gpus_that_torch_sees_are_trained_on(monkeypatch, seen):
    cuda(monkeypatch, seen=seen)
    refuse_unseen_gpus()


def test_without_gpus_nothing_is_asked_of_cuda(monkeypatch):
    cuda(monkeypatch, seen=0)
    for value in ("", " "):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        refuse_unseen_gpus()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    refuse_unseen_gpus()


def test_gpus_that_only_stand_in_for_real_ones_are_not_looked_for(monkeypatch):
    cuda(monkeypatch, seen=0)
    monkeypatch.setenv("GAVEL_GPUS", "GPU-a,GPU-b")
    refuse_unseen_gpus()


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
@pytest.mark.parametrize(("stage", "module"), [("grpo", "policy.grpo"), ("sft", "grader.train")])
def test_a_trainer_that_cannot_use_its_gpus_ends_before_it_trains(tmp_path, stage, module):
    epoch_dir = write_request(make_root(tmp_path), stage, 2)
    ended = subprocess.run(
        [sys.executable, "-m", f"gavel_train.{module}", str(epoch_dir)],
        cwd=PYTHON,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    outcome = json.loads((epoch_dir / "outcome.json").read_text())
    assert (outcome["status"], outcome["field"]) == ("bad_request", "placement.trainer_gpus")


def test_a_launchers_local_rank_is_the_index_of_the_gpu(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert local_rank() == 0
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_rank() == 3
