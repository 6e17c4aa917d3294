"""A disturbed run ends as an undisturbed one does."""

import hashlib
import json
import os
import signal

import pytest
from grpo_run import (
    LORA,
    STEP,
    asked_of,
    checkpoints,
    die_in_the_save_of,
    head,
    rollouts,
    start,
    start_ranks,
    until,
    weights,
)
from safetensors.torch import load

pytestmark = pytest.mark.usefixtures("imported_once")


@pytest.fixture(scope="module")
def calm(imported_once, tmp_path_factory, tiny_model):
    """An undisturbed run with its ledger; tests only read it."""
    from conftest import FakeGateway, make_tree

    os.environ["GAVEL_API_KEY"] = "test-key"
    root = make_tree(tmp_path_factory.mktemp("calm"), tiny_model)
    gateway = FakeGateway(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    stage = start(root, 1, gateway)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    gateway.stop()
    return root, stage, gateway


def unscored_now_and_then(request: dict) -> int | None:
    digest = hashlib.sha256(request["completion"].encode()).digest()
    return None if digest[0] % 5 == 0 else digest[1] % 10


def test_every_adapter_parameter_moves(calm):
    root, _, _ = calm
    before = load(weights(checkpoints(root) / "step-000000.e1"))
    after = load(weights(checkpoints(root) / "step-000004.e1"))
    assert before.keys() == after.keys()
    still = [name for name in before if before[name].equal(after[name])]
    assert not still


def test_every_committed_rollout_names_its_trace_and_each_key_is_in_the_ledger_once(calm):
    root, _, gateway = calm
    records = rollouts(root, "step-000004.e1")
    keys = gateway.keys()
    assert len(keys) == len(set(keys))
    assert [(r["step"], r["group"], r["rollout"]) for r in records] == [
        (step, group, rollout) for step in (1, 2, 3, 4) for group in (0, 1) for rollout in range(4)
    ]
    assert all(len(r["trace_keys"]) == 1 and r["trace_keys"][0] in keys for r in records)


def test_a_rollout_without_a_score_is_masked_where_the_spec_says_so(calm):
    root, _, _ = calm
    records = rollouts(root, "step-000004.e1")
    unscored = [r for r in records if r["score"] is None]
    assert unscored and len(unscored) < len(records)
    assert all(r["reward"] is None and r["advantage"] == 0 for r in unscored)
    assert any(r["advantage"] != 0 for r in records if r["score"] is not None)


def test_result_names_rows_verdicts_and_three_checkpoints(calm):
    root, stage, _ = calm
    assert stage.outcome()["status"] == "done"
    run_dir = root / "runs/tiny"
    result = json.loads((run_dir / "grpo/result.json").read_text())
    assert result["checkpoint"] == "step-000004.e1"
    assert all((run_dir / path).exists() for path in result["artifacts"].values())
    audit = [json.loads(x) for x in (run_dir / result["artifacts"]["audit_rows"]).read_text().splitlines()]
    verdicts = [
        json.loads(x) for x in (run_dir / result["artifacts"]["verdicts_judge"]).read_text().splitlines()
    ]
    assert len(audit) == 3 * 4 * 2
    assert [row["id"] for row in audit] == [verdict["row_id"] for verdict in verdicts]
    assert {row["source"] for row in audit} == {"step-000000.e1", "step-000002.e1", "step-000004.e1"}
    assert {json.dumps(row["fields"]) for row in audit} == {'{"kind": "sum"}'}
    events = [line["event"] for line in stage.lines()]
    assert events.count("commit") == 3
    phases = [line["phase"] for line in stage.lines() if line["event"] == "progress"]
    assert phases.count("train") == 4 and {"load", "sample", "grade: judge, reasoned"} <= set(phases)


def test_a_run_killed_in_a_step_in_a_save_and_in_the_next_step_ends_in_the_same_bytes(calm, root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then

    # The kill falls among the calls of one step: some are answered, some are not.
    gateway.hold = asked_of(step=2, group=1)
    stage = start(root, 1, gateway)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    assert head(root) == checkpoints(root) / "step-000000.e1"

    stage = start(root, 2, gateway, resume_from=head(root), before=die_in_the_save_of(1))
    assert stage.wait() == 57
    assert head(root) == checkpoints(root) / "step-000000.e1"

    gateway.hold = asked_of(step=3, group=1)
    stage = start(root, 3, gateway, resume_from=head(root))
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    assert head(root) == checkpoints(root) / "step-000002.e3"

    stage = start(root, 4, gateway, resume_from=head(root))
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]

    calm_root, _, calm_gateway = calm
    for file in ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth"):
        stormy = (checkpoints(root) / "step-000004.e4" / file).read_bytes()
        assert stormy == (checkpoints(calm_root) / "step-000004.e1" / file).read_bytes(), file
    assert rollouts(root, "step-000004.e4") == rollouts(calm_root, "step-000004.e1")
    # Replayed steps paid for nothing: both ledgers hold the same calls.
    assert sorted(gateway.keys()) == sorted(calm_gateway.keys())


def test_a_run_killed_after_its_last_step_only_samples_and_grades(calm, root, gateways):
    _, _, calm_gateway = calm
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    gateway.hold = lambda request: not request["occasion"].startswith("grpo")
    stage = start(root, 1, gateway)
    last = checkpoints(root) / "step-000004.e1"
    until(last.exists, stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    trained = len([request for request in gateway.asked if request["occasion"].startswith("grpo")])
    stage = start(root, 2, gateway, resume_from=last)
    assert stage.wait() == 0
    assert len([r for r in gateway.asked if r["occasion"].startswith("grpo")]) == trained
    assert sorted(gateway.keys()) == sorted(calm_gateway.keys())


def test_full_training_resumes_to_the_same_bytes_and_moves_every_parameter(
    root, tmp_path_factory, tiny_model, gateways
):
    from conftest import make_tree

    other = make_tree(tmp_path_factory.mktemp("other"), tiny_model)
    settings = {"lora": None, "steps": 2, "save_every": 1, "beta": 0.1, "learning_rate": 1e-3}
    calm_stage = start(other, 1, gateways(other / "runs/tiny"), **settings)
    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=2)
    stage = start(root, 1, gateway, **settings)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    stage = start(root, 2, gateway, resume_from=checkpoints(root) / "step-000001.e1", **settings)
    assert calm_stage.wait() == 0 and stage.wait() == 0
    final = weights(checkpoints(root) / "step-000002.e2")
    assert final == weights(checkpoints(other) / "step-000002.e1")
    before, after = load(weights(checkpoints(root) / "step-000000.e1")), load(final)
    assert not [name for name in before if before[name].equal(after[name])]


def test_sigterm_while_the_judge_is_awaited_commits_the_last_step_boundary(calm, root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    # Step 4's verdicts never come: step 3 is finished, and not committed.
    gateway.hold = asked_of(step=4)
    stage = start(root, 1, gateway)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill(signal.SIGTERM)
    assert stage.wait() == 143
    assert stage.outcome()["status"] == "preempted"
    assert head(root).name == "step-000003.e1"

    gateway.hold = lambda request: False
    stage = start(root, 2, gateway, resume_from=head(root))
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    # The step that was given up had drawn random numbers; the commit holds those of the boundary before it.
    assert weights(checkpoints(root) / "step-000004.e2") == weights(checkpoints(calm[0]) / "step-000004.e1")
    assert rollouts(root, "step-000004.e2") == rollouts(calm[0], "step-000004.e1")


def test_without_the_random_state_of_the_boundary_the_end_is_another(calm, root, gateways):
    """Shows that the test above can fail."""
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    gateway.hold = asked_of(step=4)

    def forget():
        import gavel_train.policy.commit_callback as module

        module.restore_random_state = lambda state: None

    stage = start(root, 1, gateway, before=forget)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill(signal.SIGTERM)
    assert stage.wait() == 143
    gateway.hold = lambda request: False
    assert start(root, 2, gateway, resume_from=head(root)).wait() == 0
    assert weights(checkpoints(root) / "step-000004.e2") != weights(checkpoints(calm[0]) / "step-000004.e1")


def test_a_notice_in_the_last_step_leaves_sampling_to_the_next_attempt(calm, root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then

    def noticed_in_the_last_save():
        import gavel_train.run.commits as module

        real = module.commit_checkpoint

        def commit(*args, step, **kwargs):
            if step == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(*args, step=step, **kwargs)

        module.commit_checkpoint = commit

    stage = start(root, 1, gateway, before=noticed_in_the_last_save)
    assert stage.wait() == 143
    assert head(root).name == "step-000004.e1"
    assert not (root / "runs/tiny/grpo/result.json").exists()
    assert start(root, 2, gateway, resume_from=head(root)).wait() == 0
    # Not a completion was cut off, and none was graded that no rollout and no audit row has.
    assert sorted(gateway.keys()) == sorted(calm[2].keys())


def test_stock_rollouts_are_judged_and_recorded_as_well(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    stage = start(
        root, 1, gateway, rollout="transformers", steps=1, save_every=1, lora=LORA | {"dropout": 0.0}
    )
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    records = rollouts(root, "step-000001.e1")
    assert len(records) == STEP and all(len(r["trace_keys"]) == 1 for r in records)


def test_two_ranks_train_one_policy_and_rank_0_alone_writes(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    stages = start_ranks(root, 1, gateway, 2, steps=2, micro_batch_size=2, beta=0.1)
    assert [stage.wait() for stage in stages] == [0, 0], (stages[0].epoch_dir / "stderr").read_text()[-3000:]
    records = rollouts(root, "step-000002.e1")
    assert [(r["step"], r["group"], r["rollout"]) for r in records] == [
        (step, group, rollout) for step in (1, 2) for group in (0, 1) for rollout in range(4)
    ]
    folder = checkpoints(root) / "step-000002.e1"
    assert {path.name for path in folder.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    assert (stages[0].epoch_dir / "stdout-1").read_text() == ""
    assert len((stages[0].epoch_dir / "audit-rows.jsonl").read_text().splitlines()) == 2 * 4 * 2
    assert len(gateway.keys()) == len(set(gateway.keys()))
