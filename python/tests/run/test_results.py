import hashlib
import json

import pytest
from tiny_run import write_request

from gavel_train.run.directory import Superseded, artifact_digest, check_not_published, publish_result
from gavel_train.run.outcome import read_request
from gavel_train.run.results import ResultDamaged, read_artifact, read_result

# The same files have the same digest in test/run-directory/result.test.ts.
FOLDER = "f475a73c7bd531a0d574647ce4cb96a86eebeb4cd6f61b414452631cc79b06ee"


@pytest.fixture
def publish(tmp_path):
    run_dir = tmp_path / "runs/tiny"

    def make(epoch: int, text: str = "rows"):
        request = read_request(write_request(tmp_path, "grpo", epoch), "grpo")
        rows = run_dir / f"grpo/epochs/{epoch:06d}/rows.jsonl"
        rows.write_text(text)
        checkpoint = run_dir / "grpo/checkpoints/step-000004.e1"
        checkpoint.mkdir(parents=True, exist_ok=True)
        (checkpoint / "weights").write_text("weights")

        def again():
            return publish_result(
                request, step=4, checkpoint=None, metrics={}, artifacts={"rows": rows, "last": checkpoint}
            )

        again()
        return run_dir, rows, again

    return make


def test_a_folder_has_the_digest_of_the_paths_and_contents_of_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    files = {"b.txt": "two", "a/\u00e9.txt": "one", "a/\U0001f600": "three", "a/\uff5e": "four"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert artifact_digest(tmp_path) == FOLDER
    # What git and download tools keep beside the files differs between equal copies.
    (tmp_path / ".cache/huggingface").mkdir(parents=True)
    (tmp_path / ".cache/huggingface/notes").write_text("here")
    (tmp_path / "a/.gitignore").write_text("*")
    assert artifact_digest(tmp_path) == FOLDER
    assert artifact_digest(tmp_path / "b.txt") == hashlib.sha256(b"two").hexdigest()


def test_a_result_is_published_with_its_own_digest_and_those_of_its_artifacts(publish):
    run_dir, rows, _ = publish(1)
    path = run_dir / "grpo/result.json"
    signed = (run_dir / "grpo/epochs/000001/result.sha256").read_text().strip()
    assert signed == hashlib.sha256(path.read_bytes()).hexdigest()
    result = read_result(run_dir, "grpo")
    assert result.digests["rows"] == hashlib.sha256(b"rows").hexdigest()
    assert read_artifact(run_dir, result, "rows") == rows
    assert read_artifact(run_dir, result, "last").name == "step-000004.e1"


def test_a_process_of_the_same_epoch_that_publishes_again_leaves_a_result_that_verifies(publish):
    run_dir, rows, again = publish(1)
    rows.write_text("other rows")
    again()
    result = read_result(run_dir, "grpo")
    assert result.digests["rows"] == hashlib.sha256(b"other rows").hexdigest()


def test_what_a_superseded_epoch_publishes_late_is_refused_and_the_newest_takes_its_place(publish):
    run_dir, _, again = publish(1)
    newer = run_dir / "grpo/epochs/000002"
    newer.mkdir()
    with pytest.raises(ResultDamaged, match="of epoch 2, the newest, got that of epoch 1"):
        read_result(run_dir, "grpo")
    with pytest.raises(Superseded, match="epoch 1 was superseded by epoch 2"):
        again()
    newer.rmdir()
    publish(2, "new rows")
    assert read_result(run_dir, "grpo").epoch == 2


def test_what_a_published_result_names_is_replaced_by_the_newest_epoch_alone(publish):
    run_dir, _, _ = publish(1)
    stage = run_dir / "grpo"
    check_not_published(stage, 1)
    (stage / "epochs/000002").mkdir(parents=True)
    with pytest.raises(Superseded, match="epoch 1 was superseded by epoch 2"):
        check_not_published(stage, 1)
    check_not_published(stage, 2)
    (stage / "result.json").write_text('{"epoch": 3}')
    with pytest.raises(Superseded, match="published by epoch 3 already"):
        check_not_published(stage, 2)
    (stage / "result.json").write_text("half")
    with pytest.raises(Superseded, match="published and cannot be read"):
        check_not_published(stage, 2)
    (stage / "result.json").unlink()
    check_not_published(stage, 2)


@pytest.mark.parametrize("change", ["half", "figure", "epoch", "unsigned"])
def test_a_result_other_than_the_published_one_is_refused_by_name(publish, change):
    run_dir, _, _ = publish(1)
    path = run_dir / "grpo/result.json"
    content = json.loads(path.read_text())
    if change == "half":
        path.write_bytes(path.read_bytes()[:100])
    elif change == "figure":
        path.write_text(json.dumps(content | {"step": 5}))
    elif change == "epoch":
        path.write_text(json.dumps(content | {"epoch": 7}))
    else:
        (run_dir / "grpo/epochs/000001/result.sha256").unlink()
    with pytest.raises(ResultDamaged, match=r"grpo/result\.json"):
        read_result(run_dir, "grpo")


def test_an_artifact_other_than_the_published_one_is_refused_by_name(publish):
    run_dir, rows, _ = publish(1)
    result = read_result(run_dir, "grpo")
    (run_dir / "grpo/checkpoints/step-000004.e1/more").write_text("")
    with pytest.raises(ResultDamaged, match=r"step-000004\.e1: expected the last of stage grpo"):
        read_artifact(run_dir, result, "last")
    rows.write_text("Rows")
    with pytest.raises(ResultDamaged, match=r"rows\.jsonl"):
        read_artifact(run_dir, result, "rows")
    rows.unlink()
    with pytest.raises(ResultDamaged, match="no such file"):
        read_artifact(run_dir, result, "rows")
