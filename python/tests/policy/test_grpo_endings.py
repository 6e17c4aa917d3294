"""How the stage ends before its last step: asked to, refused, left without a judge or a disk, superseded."""

import hashlib
import json
import signal
import time

import pytest
from grpo_run import (
    STEP,
    asked_of,
    checkpoints,
    fill_the_disk_at_commit,
    head,
    start,
    start_ranks,
    until,
)

pytestmark = pytest.mark.usefixtures("imported_once")


def test_sigterm_commits_the_step_in_hand_and_stops(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.delay_s = 0.05
    gateway.hold = asked_of(step=3)
    stage = start(root, 1, gateway, steps=50, save_every=50)
    until(lambda: len(gateway.asked) > STEP, stage)
    stage.kill(signal.SIGTERM)
    assert stage.wait() == 143
    assert stage.outcome()["status"] == "preempted"
    assert head(root).name in ("step-000001.e1", "step-000002.e1")


def test_sigusr1_writes_the_stacks_of_all_threads_to_the_log(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = lambda request: True
    stage = start(root, 1, gateway)
    until(lambda: len(gateway.asked) > 0, stage)

    def waits_for_verdicts() -> bool:
        # The first completion is judged while others are still sampled.
        stage.kill(signal.SIGUSR1)
        time.sleep(0.2)
        return "collect" in (stage.epoch_dir / "stderr").read_text()

    until(waits_for_verdicts, stage)
    assert "most recent call first" in (stage.epoch_dir / "stderr").read_text()
    stage.kill()
    stage.wait()


def test_a_full_disk_in_a_save_leaves_the_last_checkpoint_untouched(root, gateways):
    stage = start(root, 1, gateways(root / "runs/tiny"), before=fill_the_disk_at_commit(3))
    assert stage.wait() == 1
    assert stage.outcome()["status"] == "failed"
    assert "disk full" in stage.outcome()["message"]
    kept = head(root)
    assert kept.name == "step-000002.e1"
    manifest = json.loads((kept / "manifest.json").read_text())
    for name, file in manifest["files"].items():
        assert hashlib.sha256((kept / name).read_bytes()).hexdigest() == file["sha256"]


def test_a_judge_that_stays_away_fails_the_stage_in_a_resumable_way(root, gateways):
    from conftest import error

    gateway = gateways(root / "runs/tiny")
    gateway.answer_with = (503, error("the judge has been away for 1800 s", "judge_away"))
    stage = start(root, 1, gateway)
    assert stage.wait() == 75
    assert stage.outcome() == {
        "status": "judge_away",
        "message": "the judge has been away for 1800 s",
        "field": None,
        "cause": None,
    }
    assert head(root).name == "step-000000.e1"


def test_an_epoch_that_was_superseded_commits_nothing_more(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=1)
    stage = start(root, 1, gateway)
    until(lambda: len(gateway.asked) > 0, stage)
    (root / "runs/tiny/grpo/epochs/000002").mkdir()
    gateway.hold = lambda request: False
    assert stage.wait() == 143
    assert "superseded" in stage.outcome()["message"]
    assert head(root).name == "step-000000.e1"
    assert not (root / "runs/tiny/grpo/result.json").exists()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"micro_batch_size": 3}, "grpo.micro_batch_size"),
        ({"rollout": "vllm_colocate"}, "grpo.rollout"),
        ({"prompts_per_step": 9}, "task.train_prompts"),
    ],
)
def test_settings_that_cannot_work_name_their_field(root, gateways, settings, field):
    stage = start(root, 1, gateways(root / "runs/tiny"), **settings)
    assert stage.wait() == 2
    assert stage.outcome()["status"] == "bad_request"
    assert stage.outcome()["field"] == field


def test_two_ranks_stop_at_the_same_step_although_only_one_of_them_was_told(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=3)
    stages = start_ranks(root, 1, gateway, 2, steps=6, save_every=6, micro_batch_size=2)
    until(lambda: any(map(gateway.hold, gateway.asked)), stages[0])
    # The other rank's verdicts come: it must not go on alone.
    gateway.hold = asked_of(step=3, group=0)
    for stage in stages:
        stage.kill(signal.SIGTERM)
    assert [stage.wait() for stage in stages] == [143, 143]
    assert head(root).name == "step-000002.e1"
    folder = checkpoints(root) / "step-000002.e1"
    assert {path.name for path in folder.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
