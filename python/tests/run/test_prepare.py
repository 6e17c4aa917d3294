import json
import subprocess
import sys

import pytest
from tiny_run import resolved_spec

from gavel_train.contracts import PromptRow
from gavel_train.run import prepare
from gavel_train.run.outcome import BadRequest

POLY = {"name": "poly_easy", "params": {}, "train_prompts": 20, "eval_prompts": 10, "audit_prompts": 5}


@pytest.fixture
def run_dir(tmp_path):
    def make(**sections):
        folder = tmp_path / "runs" / "tiny"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.json").write_text(json.dumps(resolved_spec(**sections)))
        return folder

    return make


def run(folder, root, umask=-1):
    return subprocess.run(
        [sys.executable, "-m", "gavel_train.run.prepare", str(folder)],
        env={"GAVEL_ROOT": str(root), "PYTHONPATH": ".", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        umask=umask,
    )


def test_prepare_writes_three_disjoint_splits_and_the_same_bytes_again(tmp_path, run_dir):
    folder = run_dir(task=POLY)
    done = run(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    files = {split: folder / "data" / f"{split}.jsonl" for split in ("train", "eval", "audit")}
    before = {split: path.read_bytes() for split, path in files.items()}
    rows = [json.loads(line) for path in files.values() for line in path.read_text().splitlines()]
    assert len(rows) == 35 == len({row["prompt"] for row in rows}) == len({row["id"] for row in rows})
    (folder / "data").rename(tmp_path / "old")
    (folder / "data").mkdir()
    prepare.main(folder, tmp_path)
    assert {split: path.read_bytes() for split, path in files.items()} == before


def test_a_malformed_task_file_ends_in_a_bad_request_that_names_its_line(tmp_path, run_dir):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a"}\nnonsense\n')
    folder = run_dir(task={"name": "jsonl", "path": "mine.jsonl"})
    done = run(folder, tmp_path)
    assert done.returncode == 2
    outcome = json.loads((folder / "data/outcome.json").read_text())
    assert outcome["status"] == "bad_request" and outcome["field"] == "task.path"
    assert "mine.jsonl:2: expected a JSON object, got 8 characters that are no JSON" in outcome["message"]
    assert not list((folder / "data").glob("*.jsonl"))


def test_a_bad_parameter_is_a_bad_request_of_task_params(tmp_path, run_dir):
    folder = run_dir(task=POLY | {"params": {"kinds": {"integrate": 1}}})
    (folder / "data").mkdir()
    with pytest.raises(BadRequest) as caught:
        prepare.main(folder, tmp_path)
    assert caught.value.field == "task.params"


def test_a_prompt_in_two_splits_is_refused():
    def row(number, prompt):
        return PromptRow(id=number, prompt=prompt, ground_truth=None, meta={})

    prepare.check_disjoint({"train": [row("1", "a")], "audit": [row("2", "b")]})
    with pytest.raises(BadRequest, match=r"Expected each prompt once, .* in train and in audit"):
        prepare.check_disjoint({"train": [row("1", "a")], "audit": [row("2", "a")]})
    with pytest.raises(BadRequest, match="Expected each id once"):
        prepare.check_disjoint({"train": [row("1", "a"), row("1", "b")]})


def test_what_a_process_of_a_run_writes_is_closed_to_other_users(tmp_path, run_dir):
    folder = run_dir(task=POLY)
    done = run(folder, tmp_path, umask=0o022)
    assert done.returncode == 0, done.stderr
    data = folder / "data"
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [data, *data.iterdir()]}
    assert modes == {"data": "0o700"} | {path.name: "0o600" for path in data.iterdir()}
