import json

import pytest
from tiny_run import resolved_spec

from gavel_train.contracts import VerifyReport
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks import dry_run

ROWS = [
    {"prompt": f"capital of {n}?", "ground_truth": city} for n, city in enumerate(["Paris", "Rome", "Oslo"])
]
TASK = {"name": "jsonl", "path": "mine.jsonl", "train_prompts": 1, "eval_prompts": 1, "audit_prompts": 1}


def report(tmp_path, params, rows=ROWS, answers=None, listed=3):
    folder = tmp_path / "dry"
    folder.mkdir(exist_ok=True)
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "spec.json").write_text(json.dumps(resolved_spec(task=TASK | {"params": params})))
    path = None
    if answers is not None:
        path = str(tmp_path / "answers.jsonl")
        (tmp_path / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    (folder / "verify-request.json").write_text(json.dumps({"rows": listed, "answers": path}))
    dry_run.main(folder, tmp_path)
    return VerifyReport.model_validate_json((folder / "verify.json").read_bytes())


def values(found, kind):
    return {answer.completion: answer.value for answer in found.answers if answer.kind == kind}


def test_it_shows_what_the_verifier_makes_of_truths_phrasings_and_others(tmp_path):
    found = report(tmp_path, {"verifier": "contains"})
    assert (found.verifier, found.checked, found.refused, found.others, found.others_taken) == (
        "contains",
        3,
        0,
        3,
        0,
    )
    assert values(found, "truth") == {"Paris": 1, "Rome": 1, "Oslo": 1}
    assert values(found, "phrasing")["The answer is Rome."] == 1
    assert set(values(found, "other_truth").values()) == {0}
    exact = report(tmp_path, {"verifier": "exact"}, listed=1)
    assert len({answer.row for answer in exact.answers}) == 1 and exact.refused == 0
    assert set(values(exact, "phrasing").values()) == {0}


def test_a_truth_that_is_judged_wrong_is_counted_and_listed_wherever_it_stands(tmp_path):
    found = report(tmp_path, {"verifier": "regex", "pattern": "[A-Z]aris"}, listed=1)
    assert found.refused == 2 and len(found.refused_truths) == 2
    wrong = {answer.truth for answer in found.answers if answer.kind == "truth" and answer.value == 0}
    assert wrong == {"Rome", "Oslo"}


def test_answers_of_a_file_are_checked_by_id_or_prompt(tmp_path):
    answers = [
        {"prompt": "capital of 0?", "completion": "It's Paris"},
        {"id": "mine-000002", "completion": "It's Paris"},
    ]
    found = report(tmp_path, {"verifier": "contains"}, answers=answers)
    given = [(answer.truth, answer.value) for answer in found.answers if answer.kind == "given"]
    assert given == [("Paris", 1), ("Rome", 0)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"id": "mine-9", "completion": "x"}, r"answers\.jsonl:1: field 'id': expected that of a prompt"),
        ({"id": "mine-000001"}, r"answers\.jsonl:1: field 'completion': expected text, got none"),
        ({"completion": "x"}, r"answers\.jsonl:1: field 'prompt': expected text"),
    ],
)
def test_answers_of_no_use_are_named(tmp_path, answer, message):
    with pytest.raises(BadRequest, match=message) as error:
        report(tmp_path, {"verifier": "exact"}, answers=[answer])
    assert error.value.field == "--answers"


def test_rows_without_a_truth_and_a_task_without_a_verifier_are_said(tmp_path):
    found = report(tmp_path, {"verifier": "exact"}, rows=[*ROWS[:2], {"prompt": "a poem"}])
    assert (found.checked, found.without_truth) == (2, 1)
    none = report(tmp_path, {})
    assert none.verifier is None and none.answers == []


def test_params_and_data_of_no_use_are_bad_requests(tmp_path):
    for params, field in (({"verifier": "magic"}, "task.params"), ({"verifier": "number"}, "task.path")):
        with pytest.raises(BadRequest) as error:
            report(tmp_path, params)
        assert error.value.field == field
