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


def refused(folder, root) -> BadRequest:
    (folder / "data").mkdir()
    with pytest.raises(BadRequest) as caught:
        prepare.main(folder, root)
    return caught.value


@pytest.mark.parametrize("guided", [True, False])
def test_rows_without_the_truth_that_the_rubric_shows_are_refused_before_anything_starts(
    tmp_path, run_dir, guided
):
    rows = [{"id": f"r{n}", "prompt": f"p{n}", "ground_truth": "t" if n % 2 else None} for n in range(12)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"name": "jsonl", "path": "mine.jsonl", "params": {"verifier": "none"}}
    folder = run_dir(task={**task, "train_prompts": 6, "eval_prompts": 2, "audit_prompts": 4})
    template = {"messages": [{"role": "user", "content": "{{prompt}} {{completion}} {{ground_truth}}"}]}
    scores = {str(digit): "means" for digit in range(10)}
    rubric = {"name": "r", "scores": scores, "reference_guided": guided}
    modes = {"reasoned": template, "single_token": template}
    (folder / "rubric.json").write_text(json.dumps({**rubric, "modes": modes}))
    if guided:
        error = refused(folder, tmp_path)
        assert error.field == "judge.rubric"
        assert "Expected a ground_truth in every row, because the rubric is reference-guided" in str(error)
    else:
        (folder / "data").mkdir()
        prepare.main(folder, tmp_path)
    assert (folder / "data/train.jsonl").exists() is not guided


# By the names of these files nothing tells that the path is at fault.
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "mine.txt: expected a JSON lines file, found no such file"),
        (
            b'{"prompt": "a"}\n{"prompt": 7}\n',
            "mine.txt:2: field 'prompt': expected text or messages, got a",
        ),
        (b'{"prompt": "a"}\n', "mine.txt: expected at least 16 distinct prompts"),
        (b'{"prompt": "a"}\n{"prompt": "\xff"}\n', "mine.txt:2: expected text in UTF-8"),
    ],
)
def test_data_that_cannot_be_used_is_a_bad_request_of_task_path(tmp_path, run_dir, rows, message):
    if rows is not None:
        (tmp_path / "mine.txt").write_bytes(rows)
    error = refused(run_dir(task={"name": "jsonl", "path": "mine.txt"}), tmp_path)
    assert error.field == "task.path" and message in str(error)


def test_a_folder_without_the_splits_of_gsm8k_is_a_bad_request_of_task_path(tmp_path, run_dir):
    (tmp_path / "mine").mkdir()
    error = refused(run_dir(task={"name": "gsm8k", "path": "mine"}), tmp_path)
    assert error.field == "task.path" and "mine/train.jsonl: expected GSM8K's train split" in str(error)


@pytest.mark.parametrize(
    "task",
    [
        POLY | {"params": {"kinds": {"integrate": 1}}},
        {"name": "jsonl", "path": "mine.jsonl", "params": {"verifier": "mine.jsonl"}},
    ],
)
def test_a_bad_parameter_is_a_bad_request_of_task_params(tmp_path, run_dir, task):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a"}\n')
    assert refused(run_dir(task=task), tmp_path).field == "task.params"


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
