import json
from pathlib import Path

import pytest

from gavel_train.tasks import gsm8k

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "gsm8k"
SIZES = {"train": 2, "eval": 1, "audit": 1}


@pytest.mark.parametrize(
    "answer", ["1234", "1,234", "1234.0", "$1234", "$1,234.00", "so 1 and then 1,234.", "#### 1,234\n"]
)
def test_ways_to_write_a_number_are_equal(answer):
    assert gsm8k.verify(answer, "1234")
    assert gsm8k.verify(answer, "1,234")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10-5", 5),
        ("the answer is -5", -5),
        ("$-5", -5),
        ("-$5", -5),
        ("#### 7\nbut 8 is close", 7),
        ("#### 6\n#### 7", 7),
        ("0.5 each", 0.5),
        (".5 each", 0.5),
        ("1,000,000", 1_000_000),
        ("3 apples, 4 pears", 4),
        ("no number", None),
        ("", None),
    ],
)
def test_the_answer_is_the_marked_number_or_else_the_last(text, number):
    assert gsm8k.number_in(text) == number


def test_another_number_or_none_is_wrong():
    assert not gsm8k.verify("1235", "1234")
    assert not gsm8k.verify("I do not know", "1234")


def test_audit_prompts_come_from_test_and_the_others_from_train(tmp_path):
    write(tmp_path)
    splits = gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == SIZES
    assert all(row["id"].startswith("gsm8k-train-") for row in splits["train"] + splits["eval"])
    assert all(row["id"].startswith("gsm8k-test-") for row in splits["audit"])
    row = splits["audit"][0]
    assert row["prompt"].endswith(gsm8k.INSTRUCTION) and row["ground_truth"] == "9"
    assert splits == gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    assert splits != gsm8k.make_splits({}, SIZES, 1, tmp_path, tmp_path)


def test_bad_lines_are_named_by_file_line_and_field(tmp_path):
    write(tmp_path)
    with (tmp_path / "test.jsonl").open("a") as file:
        file.write('{"question": "q", "answer": "no mark"}\n')
    with pytest.raises(ValueError, match=r"test\.jsonl:2: field 'answer'"):
        gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    (tmp_path / "test.jsonl").write_text("not json\n")
    with pytest.raises(ValueError, match=r"test\.jsonl:1: expected a JSON object"):
        gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    (tmp_path / "test.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"test\.jsonl: .*empty"):
        gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    (tmp_path / "test.jsonl").unlink()
    with pytest.raises(ValueError, match="no such file"):
        gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)


def test_more_prompts_than_there_are_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match="at most 4 train and eval prompts"):
        gsm8k.make_splits({}, SIZES | {"train": 4}, 0, tmp_path, tmp_path)


@pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"NO GSM8K DATA at {SHARED}: the published file is not tested"
)
def test_every_published_solution_verifies_against_its_own_answer():
    sizes = {"train": 7000, "eval": 400, "audit": 1300}
    splits = gsm8k.make_splits({}, sizes, 3, SHARED, SHARED)
    rows = [row for made in splits.values() for row in made]
    assert len({row["prompt"] for row in rows}) == len(rows) == 8700
    wrong = [row["id"] for row in rows if not gsm8k.verify(row["meta"]["solution"], row["ground_truth"])]
    assert not wrong


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"NO GSM8K DATA at {SHARED}: the verifier is not measured")
def test_the_verifier_agrees_with_the_published_marks_of_real_models_solutions():
    agree, total = 0, 0
    for line in (SHARED / "example_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        truth = row["ground_truth"].rpartition("A:")[2]
        for solution in (value for value in row.values() if isinstance(value, dict)):
            total += 1
            agree += gsm8k.verify(solution["solution"], truth) == solution["is_correct"]
    assert total == 5276
    assert agree / total > 0.99


def write(folder: Path) -> None:
    train = [{"question": f"What is {n}+1?", "answer": f"{n}+1={n + 1}\n#### {n + 1}"} for n in range(4)]
    test = [{"question": "What is 4+5?", "answer": "4+5=9\n#### 9"}]
    for split, rows in (("train", train), ("test", test)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
