"""grpo.report_to: where trackers write, and what happens without their packages."""

import os
import signal
from types import SimpleNamespace

import pytest
from grpo_run import asked_of, checkpoints, rollouts, start, until

from gavel_train.contracts import GrpoSpec
from gavel_train.policy import trackers
from gavel_train.run.outcome import BadRequest

pytestmark = pytest.mark.usefixtures("imported_once")


def nothing_is_installed():
    trackers._is_installed = lambda name: False


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_trained(root, gateways):
    gateway = gateways(root / "runs/tiny")
    stage = start(root, 1, gateway, before=nothing_is_installed, report_to=["trackio"])
    assert stage.wait() == 2
    outcome = stage.outcome()
    assert (outcome["status"], outcome["field"]) == ("bad_request", "grpo.report_to")
    assert "found no trackio" in outcome["message"] and "pip install trackio" in outcome["message"]
    assert not gateway.asked and not checkpoints(root).exists()


def test_a_folder_of_that_name_is_no_installed_package(tmp_path, monkeypatch):
    (tmp_path / "no_such_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not trackers._is_installed("no_such_tracker")
    assert trackers._is_installed("trl")


def test_each_tracker_writes_under_the_folder_and_wandb_sends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(trackers, "_is_installed", lambda name: True)
    names = ["tensorboard", "trackio", "wandb"]
    trackers.prepare_trackers(GrpoSpec(report_to=names), tmp_path / "trackers")
    variables = ("TENSORBOARD_LOGGING_DIR", "TRACKIO_DIR", "WANDB_DIR")
    folders = [str(tmp_path / "trackers" / name) for name in names]
    assert [os.environ[variable] for variable in variables] == folders
    assert all(map(os.path.isdir, folders))
    assert os.environ["WANDB_MODE"] == "offline"


def test_without_trackers_none_has_to_be_installed_and_no_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "_is_installed", lambda name: False)
    trackers.prepare_trackers(GrpoSpec(), tmp_path / "trackers")
    assert not (tmp_path / "trackers").exists()
    with pytest.raises(BadRequest, match="found no wandb"):
        trackers.prepare_trackers(GrpoSpec(report_to=["wandb"]), tmp_path / "trackers")


def test_trackers_that_have_begun_are_closed_and_others_are_left_alone():
    closed = []

    def callback(name: str, **fields):
        return type(name, (), fields)()

    def package(name: str, run: object):
        current = SimpleNamespace(get=lambda: run)
        return SimpleNamespace(
            run=run, context_vars=SimpleNamespace(current_run=current), finish=lambda: closed.append(name)
        )

    writer = SimpleNamespace(close=lambda: closed.append("tensorboard"))
    begun = [
        callback("TensorBoardCallback", tb_writer=writer),
        callback("TrackioCallback", _trackio=package("trackio", "a run")),
        callback("WandbCallback", _wandb=package("wandb", "a run")),
    ]
    others = [
        callback("TensorBoardCallback", tb_writer=None),
        callback("TrackioCallback", _trackio=package("idle trackio", None)),
        callback("WandbCallback", _wandb=package("idle wandb", None)),
        callback("GrpoCommits"),
    ]
    trainer = SimpleNamespace(callback_handler=SimpleNamespace(callbacks=[*begun, *others]))
    trackers.close_trackers(trainer)
    assert closed == ["tensorboard", "trackio", "wandb"]


def test_tensorboard_gets_the_rewards_of_each_step_unscaled_and_also_of_an_attempt_that_stops(root, gateways):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="NO TENSORBOARD INSTALLED: what it is told is not tested",
    )
    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=3)
    fields = {"advantage": "leave_one_out", "scale_rewards": "none", "report_to": ["tensorboard"]}
    stage = start(root, 1, gateway, **fields)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill(signal.SIGTERM)
    assert stage.wait() == 143
    events = accumulator.EventAccumulator(str(stage.epoch_dir / "trackers/tensorboard")).Reload()
    records = rollouts(root, "step-000002.e1")
    rewards = [[r["reward"] for r in records if r["step"] == step] for step in (1, 2)]
    found = {event.step: event.value for event in events.Scalars("train/reward")}
    assert found == pytest.approx({1: sum(rewards[0]) / 8, 2: sum(rewards[1]) / 8})
    assert [event.value for event in events.Scalars("train/learning_rate")] == pytest.approx([0.01, 0.01])
