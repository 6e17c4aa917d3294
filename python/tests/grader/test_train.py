import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sft_run import PYTHON, SETTINGS, request, train, weights
from tiny_run import chain_up_to, ledger_of, make_root, render, resolved_spec, sums, take_epoch

from gavel_train.grader.trainer import encode

pytest_plugins = "sft_fixtures"
pytestmark = pytest.mark.usefixtures("stage_is_ready")


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

    from gavel_train.contracts import Spec
    from gavel_train.grader.examples import examples_of
    from gavel_train.grader.lessons import distil

    root, said = calm
    folder = root / "runs/tiny/grader/merged"
    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    run_dir, spec = root / "runs/tiny", Spec.model_validate(resolved_spec())
    examples = examples_of(distil(run_dir, ledger_of(run_dir), render, spec), spec.sft)
    # 15 examples of each mode: the last batch of 8 is not full.
    rows = [encode(words, example, {}) for example in examples.holdout if example.mode == "reasoned"]
    losses = [
        model(input_ids=torch.tensor([r.input_ids]), labels=torch.tensor([r.labels])).loss for r in rows
    ]
    mean = float(torch.stack(losses).mean().detach())
    assert len(rows) % 8 != 0
    assert said[-1][1]["metrics"]["holdout_loss_reasoned"] == pytest.approx(mean, rel=1e-4)
