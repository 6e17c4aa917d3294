import json
from pathlib import Path

import pytest
from true_rows import true_row

from gavel_train.tasks import gsm8k, gsm8k_verifier
from gavel_train.tasks.word_problems import INSTRUCTION

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "gsm8k"
SIZES = {"train": 2, "eval": 1, "audit": 1}


def test_audit_prompts_come_from_test_and_the_others_from_train(tmp_path):
    write(tmp_path)
    splits = gsm8k.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == SIZES
    assert all(row["id"].startswith("gsm8k-train-") for row in splits["train"] + splits["eval"])
    assert all(row["id"].startswith("gsm8k-test-") for row in splits["audit"])
    row = splits["audit"][0]
    assert row["prompt"].endswith(INSTRUCTION) and row["ground_truth"] == "9"
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
    wrong = [
        row["id"] for row in rows if not gsm8k_verifier.verify(row["meta"]["solution"], row["ground_truth"])
    ]
    assert not wrong


def test_the_answer_is_read_strictly_unless_the_task_says_otherwise(tmp_path):
    write(tmp_path)
    assert gsm8k.verifier_of({}).check("it is 9", true_row("9")) == (0.0, None)
    assert gsm8k.verifier_of({"answer": "lenient"}).check("it is 9", true_row("9")) == (1.0, "9")
    with pytest.raises(ValueError, match="'answer' to be strict or lenient, got 'loose'"):
        gsm8k.make_splits({"answer": "loose"}, SIZES, 0, tmp_path, tmp_path)


def write(folder: Path) -> None:
    train = [{"question": f"What is {n}+1?", "answer": f"{n}+1={n + 1}\n#### {n + 1}"} for n in range(4)]
    test = [{"question": "What is 4+5?", "answer": "4+5=9\n#### 9"}]
    for split, rows in (("train", train), ("test", test)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
