import json

import pytest
from tiny_run import resolved_spec
from true_rows import true_row

from gavel_train.contracts import PromptRow
from gavel_train.run import prepare
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.unlabelled import hide_truths, with_truth

POLY = {"name": "poly_easy", "params": {}, "train_prompts": 20, "eval_prompts": 4, "audit_prompts": 4}


def prepared(tmp_path, name="tiny", **task):
    folder = tmp_path / name
    (folder / "data").mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(resolved_spec(task=POLY | task)))
    prepare.main(folder, tmp_path)
    return {
        path.stem: [PromptRow.model_validate_json(line) for line in path.read_text().splitlines()]
        for path in (folder / "data").glob("*.jsonl")
    }


def test_a_seeded_share_of_the_training_truths_is_hidden_and_kept_apart(tmp_path):
    rows = prepared(tmp_path, unlabelled_fraction=0.25)
    hidden = [row for row in rows["train"] if row.ground_truth is None]
    assert len(hidden) == 5 and all(row.hidden_truth for row in hidden)
    assert all(row.hidden_truth is None for split in rows.values() for row in split if row not in hidden)
    assert all(row.ground_truth for row in rows["eval"] + rows["audit"])
    assert rows == prepared(tmp_path, "again", unlabelled_fraction=0.25)
    whole = {row.id: row for row in prepared(tmp_path, "whole")["train"]}
    assert all(with_truth(row) == whole[row.id] for row in hidden)
    assert with_truth(whole[hidden[0].id]) is None


def test_rows_that_have_no_truth_are_not_counted_and_none_at_all_is_refused():
    bare = true_row("1").model_copy(update={"ground_truth": None})
    rows = hide_truths([bare, true_row("1"), true_row("2")], 0.5, 0)
    assert rows[0] == bare and sum(row.hidden_truth is not None for row in rows) == 1
    assert all(row.ground_truth is None for row in hide_truths([true_row("1")], 1, 0))
    with pytest.raises(ValueError, match="found none"):
        hide_truths([bare], 0.5, 0)


def test_further_tasks_have_files_of_their_own(tmp_path):
    lines = "".join(json.dumps({"prompt": f"p{n}", "ground_truth": n}) + "\n" for n in range(9))
    (tmp_path / "mine.jsonl").write_text(lines)
    further = [
        {
            "name": "poly_easy",
            "label": "wide",
            "params": {"kinds": {"evaluate": 1}, "x": [20, 40]},
            "prompts": 6,
        },
        {"name": "jsonl", "path": "mine.jsonl", "params": {"verifier": "number"}, "prompts": 9},
    ]
    rows = prepared(tmp_path, evaluate_on=further)
    assert set(rows) == {"train", "eval", "audit", "on-wide", "on-jsonl"}
    assert len(rows["on-wide"]) == 6 and sorted(row.prompt for row in rows["on-jsonl"]) == [
        f"p{n}" for n in range(9)
    ]


@pytest.mark.parametrize(
    ("one", "field", "message"),
    [
        (
            {"name": "poly_easy", "params": {"kinds": {"integrate": 1}}},
            "task.evaluate_on.0.params",
            "integrate",
        ),
        ({"name": "svamp", "path": "absent"}, "task.evaluate_on.0.path", "no such file"),
        (
            {"name": "jsonl", "path": "mine.jsonl", "prompts": 1},
            "task.evaluate_on.0",
            "a verifier and a truth",
        ),
        (
            {"name": "jsonl", "path": "mine.jsonl", "params": {"verifier": "exact"}, "prompts": 2},
            "task.evaluate_on.0",
            "a verifier and a truth",
        ),
    ],
)
def test_a_further_task_that_cannot_measure_is_refused(tmp_path, one, field, message):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b", "ground_truth": "c"}\n')
    with pytest.raises(BadRequest, match=message) as error:
        prepared(tmp_path, evaluate_on=[one])
    assert error.value.field == field


def test_a_problem_that_the_run_has_itself_is_refused(tmp_path):
    prompts = [{"prompt": row.prompt, "ground_truth": "1"} for row in prepared(tmp_path)["train"][:2]]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    same = {"name": "jsonl", "path": "mine.jsonl", "params": {"verifier": "exact"}, "prompts": 2}
    with pytest.raises(BadRequest, match=r"found 2 of 2 in one \(the first: mine-00000"):
        prepared(tmp_path, "other", evaluate_on=[same])
