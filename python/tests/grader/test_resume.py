"""A disturbed training of a grader ends as an undisturbed one does."""

import hashlib
import json
from pathlib import Path

import pytest
from sft_run import SETTINGS, request, train, weights
from tiny_run import make_root, sums, write_segment

pytest_plugins = "sft_fixtures"
pytestmark = pytest.mark.usefixtures("stage_is_ready")


def test_a_run_killed_after_a_commit_and_resumed_ends_in_the_same_bytes(calm, tmp_path):
    root, _ = calm
    stormy = make_root(tmp_path)
    train(request(stormy, 1, sft=SETTINGS), die_after="step-000008.e1")
    assert not (stormy / "runs/tiny/sft/result.json").exists()
    committed = stormy / "runs/tiny/sft/checkpoints/step-000008.e1"

    said = train(request(stormy, 2, resume_from=committed, sft=SETTINGS))
    assert ("resumed", {"event": "resumed", "checkpoint": "step-000008.e1", "step": 8}) in said
    assert weights(stormy / "runs/tiny/grader") == weights(root / "runs/tiny/grader")
    merged = "merged/model.safetensors"
    assert weights(stormy / "runs/tiny/grader", merged) == weights(root / "runs/tiny/grader", merged)


def test_a_run_in_bfloat16_with_examples_in_random_order_resumes_to_the_same_bytes(calm, tmp_path):
    settings = SETTINGS | {"dtype": "bfloat16", "train_sampling_strategy": "random"}
    whole, stormy = (make_root(tmp_path / name) for name in ("whole", "stormy"))
    train(request(whole, 1, sft=settings))
    train(request(stormy, 1, sft=settings), die_after="step-000008.e1")
    committed = stormy / "runs/tiny/sft/checkpoints/step-000008.e1"
    said = train(request(stormy, 2, resume_from=committed, sft=settings))
    assert "resumed" in {event for event, _ in said}
    assert weights(stormy / "runs/tiny/grader") == weights(whole / "runs/tiny/grader")
    assert weights(whole / "runs/tiny/grader") != weights(calm[0] / "runs/tiny/grader")


def test_a_run_that_ended_before_its_result_is_finished_from_its_last_checkpoint(calm, tmp_path):
    root, _ = calm
    stormy = make_root(tmp_path)
    train(request(stormy, 1, sft=SETTINGS), die_after="step-000014.e1")
    committed = stormy / "runs/tiny/sft/checkpoints/step-000014.e1"
    train(request(stormy, 2, resume_from=committed, sft=SETTINGS))
    assert weights(stormy / "runs/tiny/grader") == weights(root / "runs/tiny/grader")
    assert json.loads((stormy / "runs/tiny/sft/result.json").read_text())["epoch"] == 2


def killed_after_step_8(root: Path) -> tuple[Path, Path]:
    """Begin a training; return the checkpoint to go on from, and the file that keeps its traces."""
    train(request(root, 1, sft=SETTINGS), die_after="step-000008.e1")
    stage = root / "runs/tiny/sft"
    return stage / "checkpoints/step-000008.e1", stage / "epochs/000001/traces.jsonl"


def lose_a_trace(root: Path) -> None:
    """One trace of the ledger was damaged and is gone."""
    write_segment(root / "runs/tiny", "grpo-e1-000001.jsonl", sums(24, 3)[1:])


def record_of(root: Path, checkpoint: str) -> dict:
    return json.loads((root / "runs/tiny/sft/checkpoints" / checkpoint / "examples.json").read_text())


def test_a_trace_that_the_ledger_lost_between_two_attempts_costs_no_step_and_no_byte(calm, tmp_path, capfd):
    root = make_root(tmp_path)
    committed, kept = killed_after_step_8(root)
    record = record_of(root, committed.name)
    assert record["traces"] == "epochs/000001/traces.jsonl"
    assert record["traces_sha256"] == hashlib.sha256(kept.read_bytes()).hexdigest()

    lose_a_trace(root)
    # What was rendered is kept too: no gateway is needed.
    said = train(request(root, 2, resume_from=committed, gateway_url=None, sft=SETTINGS))
    assert ("resumed", {"event": "resumed", "checkpoint": "step-000008.e1", "step": 8}) in said
    assert "afresh" not in capfd.readouterr().err
    # The next attempt would take them from there too.
    assert record_of(root, "step-000014.e2") == record
    assert weights(root / "runs/tiny/grader") == weights(calm[0] / "runs/tiny/grader")
    card = (root / "runs/tiny/grader/README.md").read_text()
    assert card == (calm[0] / "runs/tiny/grader/README.md").read_text()


@pytest.mark.parametrize("damage", ["bit flip", "gone"])
def test_kept_traces_that_are_damaged_are_made_again_from_the_ledger_and_the_checkpoint_counts(
    calm, tmp_path, capfd, damage
):
    root = make_root(tmp_path)
    committed, kept = killed_after_step_8(root)
    data = kept.read_bytes()
    kept.unlink()
    if damage == "bit flip":
        kept.write_bytes(data[:900] + bytes([data[900] ^ 1]) + data[901:])
    said = train(request(root, 2, resume_from=committed, sft=SETTINGS))
    assert "resumed" in {event for event, _ in said}
    told = capfd.readouterr().err
    assert f"{kept}: expected the traces that step-000008.e1 was trained on, with sha256" in told
    assert "the examples are made from the ledger" in told and "afresh" not in told
    assert record_of(root, "step-000014.e2")["traces"] == "epochs/000002/traces.jsonl"
    assert (kept.parents[1] / "000002/traces.jsonl").read_bytes() == data
    assert weights(root / "runs/tiny/grader") == weights(calm[0] / "runs/tiny/grader")


def test_a_checkpoint_of_other_examples_is_not_resumed_and_the_training_starts_afresh(tmp_path, capfd):
    root = make_root(tmp_path)
    committed, kept = killed_after_step_8(root)
    assert record_of(root, committed.name)["count"] > 0

    kept.unlink()
    lose_a_trace(root)
    said = train(request(root, 2, resume_from=committed, sft=SETTINGS))
    assert "resumed" not in {event for event, _ in said}
    assert "the training starts afresh" in capfd.readouterr().err
    checkpoints = root / "runs/tiny/sft/checkpoints"
    assert json.loads((checkpoints / "step-000004.e2/manifest.json").read_text())["parent"] is None

    (tmp_path / "fresh").mkdir()
    fresh = make_root(tmp_path / "fresh", sums(24, 3)[1:])
    train(request(fresh, 1, sft=SETTINGS))
    assert weights(root / "runs/tiny/grader") == weights(fresh / "runs/tiny/grader")
