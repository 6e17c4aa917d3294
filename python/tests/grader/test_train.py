import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import KEY, FakeGateway
from tiny_run import chain_up_to, ledger_of, make_root, render, sums, take_epoch, write_request, write_segment

from gavel_train.grader.trainer import encode

PYTHON = Path(__file__).resolve().parents[2]
# Dropout draws random numbers in every step: a resumed run has to go on in the same stream.
SETTINGS = {"lora": {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": "all-linear"}}


@pytest.fixture(scope="module", autouse=True)
def gateway(tmp_path_factory):
    """The gateway of stage sft: it renders, and grades nothing."""
    os.environ["GAVEL_API_KEY"] = KEY
    started = FakeGateway(tmp_path_factory.mktemp("gateway"), stage="sft")
    request.gateway_url = started.url
    yield started
    started.stop()


def request(root: Path, epoch: int, **options) -> Path:
    return write_request(root, "sft", epoch, **({"gateway_url": request.gateway_url} | options))


def train(epoch_dir: Path, die_after: str | None = None) -> list[tuple[str, dict]]:
    """Run the stage here and return what it reported; `die_after` a commit, it ends there as by kill -9."""
    from gavel_train.contracts import StageRequest
    from gavel_train.grader.train import main
    from gavel_train.run import progress

    said: list[tuple[str, dict]] = []

    class Killed(BaseException):
        pass

    def report(line):
        said.append((line.event, line.model_dump()))
        if line.event == "commit" and line.checkpoint == die_after:
            raise Killed

    # A process starts with random numbers of its own: nothing may depend on them.
    torch.manual_seed(time.time_ns() % 2**31)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_emit", report)
        try:
            main(StageRequest.model_validate_json((epoch_dir / "request.json").read_bytes()), epoch_dir)
        except Killed:
            assert die_after
    return said


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that trained without a break."""
    root = make_root(tmp_path_factory.mktemp("calm"))
    return root, train(request(root, 1, sft=SETTINGS))


def weights(folder: Path, name: str = "adapter_model.safetensors") -> bytes:
    return (folder / name).read_bytes()


def test_the_stage_publishes_adapter_merged_weights_tokenizer_and_card(calm):
    root, said = calm
    run_dir = root / "runs" / "tiny"
    result = json.loads((run_dir / "sft" / "result.json").read_text())
    assert result["artifacts"] == {"grader": "grader"}
    for name in ("adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"):
        assert (run_dir / "grader" / name).is_file()
    card = (run_dir / "grader" / "README.md").read_text()
    for part in ("base | `model`", "`judge`", "abab", "72 on 24 prompts", "holdout_loss", '"batch_size": 8'):
        assert part in card
    assert {event for event, _ in said} == {"progress", "commit"}
    last = said[-1][1]["metrics"]
    assert {"loss", "token_accuracy", "holdout_loss_reasoned", "holdout_loss_single_token"} <= set(last)


def test_every_adapter_parameter_moved_and_the_base_did_not(calm):
    from safetensors.torch import load_file

    root, _ = calm
    adapter = load_file(root / "runs/tiny/grader/adapter_model.safetensors")
    # LoRA's B starts at zero, so that the adapter starts as nothing.
    assert all(value.abs().max() > 0 for name, value in adapter.items() if "lora_B" in name)
    merged = load_file(root / "runs/tiny/grader/merged/model.safetensors")
    base = load_file(root / "model/model.safetensors")
    assert set(merged) == set(base)
    assert torch.equal(merged["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
    assert all(not torch.equal(merged[name], base[name]) for name in base if name.endswith("_proj.weight"))


def test_the_merged_grader_gives_the_taught_digits_more_of_its_first_token_than_the_base_did(calm):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    root, _ = calm
    words = AutoTokenizer.from_pretrained(root / "runs/tiny/grader/merged")
    question = [{"role": "user", "content": "1+2=\n3 \nScore only."}]
    given = words.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )

    def taught_mass(folder: Path) -> float:
        first = AutoModelForCausalLM.from_pretrained(folder)(**given).logits[0, -1].softmax(-1)
        return float(first[words.convert_tokens_to_ids(["0", "9"])].sum().detach())

    assert taught_mass(root / "runs/tiny/grader/merged") > 1.2 * taught_mass(root / "model")


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


def test_a_run_that_ended_before_its_result_is_finished_from_its_last_checkpoint(calm, tmp_path):
    root, _ = calm
    stormy = make_root(tmp_path)
    train(request(stormy, 1, sft=SETTINGS), die_after="step-000014.e1")
    committed = stormy / "runs/tiny/sft/checkpoints/step-000014.e1"
    train(request(stormy, 2, resume_from=committed, sft=SETTINGS))
    assert weights(stormy / "runs/tiny/grader") == weights(root / "runs/tiny/grader")
    assert json.loads((stormy / "runs/tiny/sft/result.json").read_text())["epoch"] == 2


def test_once_a_newer_epoch_is_taken_the_trainer_ends_at_the_next_step_and_publishes_nothing(tmp_path):
    from gavel_train.grader.trainer import GraderTrainer
    from gavel_train.run.directory import Superseded

    root = make_root(tmp_path)
    stage = root / "runs/tiny/sft"
    epoch_dir = request(root, 1, sft=SETTINGS | {"save_every": 1000, "epochs": 20.0})
    steps = []
    real = GraderTrainer.training_step

    def step(trainer, *args, **kwargs):
        steps.append(trainer.state.global_step)
        if len(steps) == 3:
            take_epoch(root / "runs/tiny", "sft", 2)
        return real(trainer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Superseded):
        patch.setattr(GraderTrainer, "training_step", step)
        train(epoch_dir)
    assert steps == [0, 1, 2]
    assert not (stage / "checkpoints").exists() and not (stage / "result.json").exists()
    assert not (root / "runs/tiny/grader").exists()


def test_only_the_newest_checkpoints_keep_their_weights_and_the_chain_stays_walkable(calm, tmp_path):
    from gavel_train.run.checkpoints import is_pruned, read_manifest

    root = make_root(tmp_path)
    train(request(root, 1, sft=SETTINGS | {"save_every": 2, "keep_checkpoints": 2}))
    checkpoints = root / "runs/tiny/sft/checkpoints"
    names = chain_up_to(checkpoints / "step-000014.e1")
    assert [read_manifest(checkpoints / name).step for name in names] == [2, 4, 6, 8, 10, 12, 14]
    whole = [name for name in names if not is_pruned(checkpoints / name)]
    assert whole == ["step-000012.e1", "step-000014.e1"]
    assert not (checkpoints / "step-000002.e1/optimizer.pt").exists()
    # How often it commits changes nothing of what it learns.
    assert weights(root / "runs/tiny/grader") == weights(calm[0] / "runs/tiny/grader")


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


def test_on_sigterm_the_trainer_commits_at_the_next_step_and_says_preempted(tmp_path):
    root = make_root(tmp_path, sums(40, 4))
    epoch_dir = request(root, 1, sft=SETTINGS | {"save_every": 1000, "epochs": 100.0})
    process = subprocess.Popen(
        [sys.executable, "-m", "gavel_train.grader.train", str(epoch_dir)],
        cwd=PYTHON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("phase") == "train":
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert json.loads((epoch_dir / "outcome.json").read_text())["status"] == "preempted"
    (commit,) = [event for event in map(json.loads, out.splitlines()) if event["event"] == "commit"]
    assert (root / "runs/tiny/sft/checkpoints" / commit["checkpoint"] / "manifest.json").is_file()
    assert not (root / "runs/tiny/sft/result.json").exists()


@pytest.mark.parametrize(
    ("sections", "field"),
    [
        ({"sft": {"qlora": True}}, "sft.qlora"),
        ({"base": {"model": "models/no/such"}}, "base.model"),
        ({"sft": {"max_length": 5}}, "sft.max_length"),
    ],
)
def test_settings_that_cannot_work_here_are_refused_by_field(tmp_path, sections, field):
    from gavel_train.contracts import StageRequest
    from gavel_train.grader.train import main
    from gavel_train.run.outcome import BadRequest

    epoch_dir = request(make_root(tmp_path), 1, **sections)
    asked = StageRequest.model_validate_json((epoch_dir / "request.json").read_bytes())
    with pytest.raises(BadRequest) as error:
        main(asked, epoch_dir)
    assert error.value.field == field


def test_the_held_out_loss_is_the_mean_over_examples_of_the_mean_loss_of_each_reply(calm):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gavel_train.grader.examples import examples_of
    from gavel_train.grader.lessons import distil

    root, said = calm
    folder = root / "runs/tiny/grader/merged"
    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    run_dir, modes = root / "runs/tiny", ("reasoned", "single_token")
    examples = examples_of(distil(run_dir, ledger_of(run_dir), render, modes=modes), modes=modes, holdout=0.2)
    # 15 examples of each mode: the last batch of 8 is not full.
    rows = [encode(words, example, {}) for example in examples.holdout if example.mode == "reasoned"]
    losses = [
        model(input_ids=torch.tensor([r.input_ids]), labels=torch.tensor([r.labels])).loss for r in rows
    ]
    mean = float(torch.stack(losses).mean().detach())
    assert len(rows) % 8 != 0
    assert said[-1][1]["metrics"]["holdout_loss_reasoned"] == pytest.approx(mean, rel=1e-4)
