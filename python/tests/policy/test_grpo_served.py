"""GRPO whose completions come from servers, journaled, and sampled a step ahead where the spec says so."""

import json
import shutil
from collections import defaultdict

import pytest
from grpo_run import STEP, checkpoints, head, rollouts, start, start_ranks, until, weights
from policy_server import serving
from safetensors.torch import load

pytestmark = pytest.mark.usefixtures("imported_once", "client_imported_once")

SERVED = {"rollout": "served", "max_staleness": 0}
AHEAD = {"rollout": "served", "max_staleness": 1}


@pytest.fixture(scope="module")
def client_imported_once():
    """Import the servers' client once here, so that forked children do not each pay for it."""
    import gavel_train.rollouts.served_rollout  # noqa: F401


@pytest.fixture
def servers(root, tiny_model):
    with serving(tiny_model, root / "runs/tiny/endpoints", servers=2) as started:
        yield started


def figures(stage) -> dict[int, dict]:
    """The figures of each step."""
    return {
        line["step"]: line["metrics"]
        for line in stage.lines()
        if line["event"] == "progress" and line["phase"] == "train" and "staleness" in line["metrics"]
    }


def alarms(stage) -> list[dict]:
    return [line for line in stage.lines() if line["event"] == "alarm"]


def journal(root) -> dict[tuple, list[dict]]:
    """The journal's entries by step, group and rollout, of all epochs."""
    found = defaultdict(list)
    for path in sorted((root / "runs/tiny/grpo/epochs").glob("*/journal-*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line[9:])
            found[entry["step"], entry["group"], entry["rollout"]].append(entry)
    return found


def test_trains_on_what_the_servers_sample_from_the_newest_adapter(root, gateways, servers):
    stage = start(root, 1, gateways(root / "runs/tiny"), servers=servers, **SERVED)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    before = load(weights(checkpoints(root) / "step-000000.e1"))
    after = load(weights(checkpoints(root) / "step-000004.e1"))
    assert not [name for name in before if before[name].equal(after[name])]
    seen = figures(stage)
    assert [seen[step]["staleness"] for step in (1, 2, 3, 4)] == [0, 0, 0, 0]
    entries = journal(root)
    assert {(entry["step"], entry["adapter"]) for (entry,) in entries.values()} == {
        (step, f"policy-v{step - 1:06d}.e1") for step in (1, 2, 3, 4)
    }
    assert alarms(stage) == []
    # The trainer samples nothing itself, and its probabilities are the sampler's, but for dropout.
    assert sum(body["n"] for one in servers for body in one.server.asked) == 4 * STEP
    assert not (stage.epoch_dir / "adapters").exists()


def test_without_dropout_the_trainer_finds_the_log_probabilities_that_the_sampler_had(
    root, gateways, servers
):
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": "all-linear"}
    stage = start(
        root, 1, gateways(root / "runs/tiny"), servers=servers, lora=lora, drift_alarm=1e-9, **SERVED
    )
    assert stage.wait() == 0
    for step in figures(stage).values():
        assert step["sampling_logp_difference_max"] < 1e-4
        assert step["sampling_ratio_mean"] == pytest.approx(1, abs=1e-3)
    (alarm,) = alarms(stage)
    assert (alarm["alarm"], alarm["step"]) == ("sampler_drift", 3)
    assert "1e-09 (grpo.drift_alarm) in 3 steps in a row" in alarm["message"]


def test_samples_a_step_ahead_from_the_adapter_before(root, gateways, servers):
    stage = start(root, 1, gateways(root / "runs/tiny"), servers=servers, **AHEAD)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    seen = figures(stage)
    assert [seen[step]["staleness"] for step in (1, 2, 3, 4)] == [0, 1, 1, 1]
    sampled_by = {(entry["step"], entry["adapter_step"]) for (entry,) in journal(root).values()}
    assert sampled_by == {(1, 0), (2, 0), (3, 1), (4, 2)}


def test_a_step_ahead_is_judged_while_the_one_before_still_waits_for_a_verdict(root, gateways, servers):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = lambda request: request["occasion"] == "grpo:2:0:0"
    stage = start(root, 1, gateway, servers=servers, **AHEAD)

    def asked_of_step_3():
        return sum(request["occasion"].startswith("grpo:3:") for request in gateway.asked)

    until(lambda: asked_of_step_3() >= 6, stage)
    gateway.hold = lambda request: False
    assert stage.wait() == 0


@pytest.mark.parametrize("how", [SERVED, AHEAD], ids=["staleness-0", "staleness-1"])
def test_a_killed_and_resumed_run_ends_in_the_bytes_that_ledger_and_journal_give(
    root, gateways, servers, how, tmp_path_factory, tiny_model
):
    from conftest import make_tree

    gateway = gateways(root / "runs/tiny")
    gateway.delay_s = 0.02
    # Killed while step 3 waits for a verdict, and step 4, ahead, is sampled or judged.
    gateway.hold = lambda request: request["occasion"] == "grpo:3:1:0"
    stage = start(root, 1, gateway, servers=servers, **how)
    until(lambda: len(gateway.asked) > 2 * STEP + 4, stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    sampled_before = {place: entries[0] for place, entries in journal(root).items()}
    assert any(place[0] == 3 for place in sampled_before)
    again = start(root, 2, gateway, resume_from=head(root), servers=servers, **how)
    assert again.wait() == 0, (again.epoch_dir / "stderr").read_text()[-3000:]
    # No attempt draws what another one has drawn: each child of a request has a seed of its own.
    seeds = [
        body["seed"] + choice for one in servers for body in one.server.asked for choice in range(body["n"])
    ]
    assert len(seeds) == len(set(seeds))
    # What was journaled was not sampled again, and no occasion was paid twice.
    for place, entries in journal(root).items():
        assert len(entries) == 1, place
    keys = gateway.keys()
    assert len(keys) == len(set(keys)) and len(gateway.known) == len(
        {json.dumps([line["occasion"]]) for line in gateway.known.values()}
    )

    witness = make_tree(tmp_path_factory.mktemp("witness"), tiny_model)
    run_dir = witness / "runs/tiny"
    shutil.copytree(root / "runs/tiny/traces", run_dir / "traces")
    for number, path in enumerate(sorted((root / "runs/tiny/grpo/epochs").glob("*/journal-*.jsonl"))):
        folder = run_dir / f"grpo/epochs/{number + 1:06d}"
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    for one in servers:
        one.server.asked.clear()
    calm = start(witness, 90, gateways(run_dir, epoch=90), servers=servers, **how)
    assert calm.wait() == 0, (calm.epoch_dir / "stderr").read_text()[-3000:]
    assert [body for one in servers for body in one.server.asked] == []
    name = "step-000004"
    assert weights(checkpoints(witness) / f"{name}.e90") == weights(checkpoints(root) / f"{name}.e2")
    assert [r["completion"] for r in rollouts(witness, f"{name}.e90")] == [
        r["completion"] for r in rollouts(root, f"{name}.e2")
    ]


def test_servers_that_never_come_back_end_the_stage_in_a_resumable_way(root, gateways, servers):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = lambda request: request["occasion"] == "grpo:2:0:0"
    stage = start(root, 1, gateway, servers=servers, policy={"model": "model", "outage_limit_s": 1}, **SERVED)
    until(lambda: len(gateway.asked) > STEP, stage)
    for one in servers:
        one.stop()
    gateway.hold = lambda request: False
    assert stage.wait() == 75
    assert stage.outcome()["status"] == "policy_away"
    assert "no server of the policy has answered for" in stage.outcome()["message"]
    for one in servers:
        one.start()
    again = start(root, 2, gateway, resume_from=head(root), servers=servers, **SERVED)
    assert again.wait() == 0
    assert head(root).name == "step-000004.e2"


def test_two_ranks_sample_their_own_groups(root, gateways, servers):
    stages = start_ranks(root, 1, gateways(root / "runs/tiny"), 2, servers=servers, **AHEAD)
    assert [stage.wait() for stage in stages] == [0, 0], (stages[0].epoch_dir / "stderr").read_text()[-3000:]
    entries = journal(root)
    assert len(entries) == 4 * STEP and all(len(found) == 1 for found in entries.values())
    records = rollouts(root, "step-000004.e1")
    assert [(r["step"], r["group"], r["rollout"]) for r in records] == sorted(entries)


def test_a_context_that_is_too_short_is_refused_before_training(root, gateways, servers):
    policy = {"model": "model", "serve": {"max_model_len": 8}}
    stage = start(root, 1, gateways(root / "runs/tiny"), servers=servers, policy=policy, **SERVED)
    assert stage.wait() == 2
    assert stage.outcome()["field"] == "policy.serve.max_model_len"
    assert "Expected a context of at least" in stage.outcome()["message"]
    assert not [one for one in servers if one.server.asked]
