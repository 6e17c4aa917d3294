"""GRPO whose judge compares the completions of a group, from the first step to the graded audit pairs."""

import json
from itertools import groupby

import pytest
from grpo_run import checkpoints, die_in_the_save_of, head, rollouts, start, weights
from safetensors.torch import load

pytestmark = pytest.mark.usefixtures("imported_once")

PAIRWISE = {"judge": {"mode": "pairwise"}, "verifier_weight": 0, "steps": 2, "save_every": 1}
LAST = "step-000002"


def longer(request: dict) -> str:
    one, other = len(request["completion"]), len(request["opponent"])
    return "tie" if one == other else "A" if one > other else "B"


def finished(stage) -> None:
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]


def artifact(root, name: str) -> list[dict]:
    result = json.loads((root / "runs/tiny/grpo/result.json").read_text())
    return [json.loads(x) for x in (root / "runs/tiny" / result["artifacts"][name]).read_text().splitlines()]


@pytest.fixture(scope="module")
def calm(imported_once, tmp_path_factory, tiny_model):
    """An undisturbed run with its gateway; tests only read it."""
    import os

    from conftest import FakeGateway, make_tree

    os.environ["GAVEL_API_KEY"] = "test-key"
    root = make_tree(tmp_path_factory.mktemp("calm"), tiny_model)
    gateway = FakeGateway(root / "runs/tiny")
    gateway.prefer = longer
    finished(start(root, 1, gateway, **PAIRWISE))
    gateway.stop()
    return root, gateway


def test_a_completion_is_rewarded_by_the_share_of_its_group_that_it_beats(calm):
    root, _ = calm
    records = rollouts(root, f"{LAST}.e1")
    assert len(records) == 16
    for _, group in groupby(records, key=lambda one: (one["step"], one["group"])):
        members = list(group)
        for one in members:
            mine = len(one["completion"])
            others = [len(other["completion"]) for other in members if other is not one]
            wins = [1.0 if mine > length else 0.5 if mine == length else 0.0 for length in others]
            assert one["reward"] == pytest.approx(sum(wins) / 3)
            assert (one["verdict"], one["score"], one["value"]) == ("scored", None, None)


def test_the_policy_learns_from_it(calm):
    root, _ = calm
    before = load(weights(checkpoints(root) / "step-000000.e1"))
    after = load(weights(checkpoints(root) / f"{LAST}.e1"))
    assert [name for name in before if before[name].equal(after[name])] == []


def test_each_pair_of_a_group_is_asked_about_once(calm):
    _, gateway = calm
    training = [each["occasion"] for each in gateway.asked if each["occasion"].startswith("grpo:")]
    # Two steps of two groups of four, all against all; equal texts are not asked about.
    assert 0 < len(training) == len(set(training)) <= 2 * 2 * 6


def test_the_audit_has_pairs_of_completions_that_differ_and_the_judges_preferences(calm):
    root, _ = calm
    rows, verdicts = artifact(root, "audit_rows"), artifact(root, "verdicts_judge")
    assert rows
    assert all(row["completion_b"] not in (None, row["completion"]) for row in rows)
    by_length = [longer({"completion": row["completion"], "opponent": row["completion_b"]}) for row in rows]
    found = [(one["row_id"], one["preference"]["label"]) for one in verdicts]
    assert found == [(row["id"], label) for row, label in zip(rows, by_length, strict=True)]


def test_killed_in_a_save_it_ends_with_the_same_weights_and_pays_for_no_pair_twice(calm, root, gateways):
    undisturbed, _ = calm
    gateway = gateways(root / "runs/tiny")
    gateway.prefer = longer
    killed = start(root, 1, gateway, before=die_in_the_save_of(3), **PAIRWISE)
    assert killed.wait() == 57
    finished(start(root, 2, gateway, resume_from=head(root), **PAIRWISE))
    assert weights(checkpoints(root) / f"{LAST}.e2") == weights(checkpoints(undisturbed) / f"{LAST}.e1")
    keys = gateway.keys()
    assert len(keys) == len(set(keys))
