import json
from pathlib import Path

import pytest
from true_rows import true_row

from gavel_train.tasks import gsm_plus, svamp
from gavel_train.tasks.word_problems import INSTRUCTION

SVAMP = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "svamp"
SIZES = {"train": 4, "eval": 2, "audit": 2}


def of_svamp(number, **changed):
    problem = {"ID": f"chal-{number}", "Body": f"Ann has {number} pens", "Question": "How many?"}
    return problem | {"Equation": "( 1.0 )", "Answer": float(number), "Type": "Addition"} | changed


def of_gsm_plus(seed, kind, answer):
    question = f"seed {seed}, {kind}"
    problem = {"question": question, "solution": f"So\n#### {answer}", "answer": answer}
    others = {"seed_question": f"seed {seed}", "seed_solution": "#### 1", "seed_answer": "1"}
    return problem | {"perturbation_type": kind} | others


GSM_PLUS = [
    of_gsm_plus(seed, kind, answer)
    for seed in range(4)
    for kind, answer in (
        ("digit expansion", "4.33"),
        ("adding operation", "1,000"),
        ("critical thinking", "None"),
    )
]


def write(path, content):
    path.write_text(json.dumps(content) if isinstance(content, list) else content)
    return path


def test_svamp_is_dealt_out_with_body_and_question_as_one_text(tmp_path):
    path = write(tmp_path / "SVAMP.json", [of_svamp(n) for n in range(1, 9)] + [of_svamp(1)])
    splits = svamp.make_splits({}, SIZES, 0, tmp_path, tmp_path)
    assert splits == svamp.make_splits({}, SIZES, 0, tmp_path, path)
    assert {split: len(rows) for split, rows in splits.items()} == SIZES
    row = next(row for rows in splits.values() for row in rows if row["id"] == "svamp-chal-3")
    assert row["prompt"] == f"Ann has 3 pens. How many?\n\n{INSTRUCTION}"
    assert row["ground_truth"] == "3" and row["meta"]["type"] == "Addition"


@pytest.mark.skipif(not SVAMP.is_dir(), reason="the published SVAMP.json is not there")
def test_the_published_svamp_is_read_whole(tmp_path):
    splits = svamp.make_splits({}, {"train": 700, "eval": 150, "audit": 150}, 1, tmp_path, SVAMP)
    rows = [row for made in splits.values() for row in made]
    assert len({row["prompt"] for row in rows}) == len({row["id"] for row in rows}) == 1000
    verifier = svamp.verifier_of({})
    assert all(verifier.refuse(row["ground_truth"], {}) is None for row in rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([of_svamp(1, Answer="1")], r"entry 1: field 'Answer': expected a number, got text"),
        ([of_svamp(1), of_svamp(2, Body=" ")], r"entry 2: field 'Body': expected text, got empty text"),
        (
            [of_svamp(1), of_svamp(2, Body="Ann has 1 pens")],
            "the question of svamp-chal-1 again, with another",
        ),
        ([1], r"entry 1: expected an object, got a number"),
        ([], "expected problems, found none"),
        ("[{", "expected a JSON list, got what is no JSON at line 1, column 3"),
        ([of_svamp(1)], "expected at least 8 distinct prompts"),
    ],
)
def test_a_bad_svamp_is_named_by_entry_and_field(tmp_path, content, message):
    path = write(tmp_path / "SVAMP.json", content)
    with pytest.raises(ValueError, match=message):
        svamp.make_splits({}, SIZES, 0, tmp_path, path)


def test_a_task_without_its_file_says_which_it_wants(tmp_path):
    for task, name in ((svamp, r"SVAMP\.json"), (gsm_plus, "GSM-Plus")):
        with pytest.raises(ValueError, match=name):
            task.make_splits({}, SIZES, 0, tmp_path, None)
        with pytest.raises(ValueError, match="no such file"):
            task.make_splits({}, SIZES, 0, tmp_path, tmp_path / "absent.json")
        with pytest.raises(ValueError, match=r"has no parameter 'verifier'; expected instruction or answer"):
            task.make_splits({"verifier": "exact"}, SIZES, 0, tmp_path, tmp_path / "absent.json")


def test_all_variants_of_a_seed_problem_of_gsm_plus_are_in_one_split(tmp_path):
    lines = "".join(json.dumps(problem) + "\n" for problem in GSM_PLUS)
    as_lines = gsm_plus.make_splits({}, SIZES, 0, tmp_path, write(tmp_path / "test.jsonl", lines))
    as_list = gsm_plus.make_splits({}, SIZES, 0, tmp_path, write(tmp_path / "test.json", GSM_PLUS))
    assert as_lines == as_list and {split: len(rows) for split, rows in as_list.items()} == SIZES
    seeds = {split: {row["meta"]["seed_question"] for row in rows} for split, rows in as_list.items()}
    assert not seeds["train"] & seeds["eval"] and not (seeds["train"] | seeds["eval"]) & seeds["audit"]
    row = as_list["train"][0]
    assert "#### None" in row["prompt"] and row["meta"]["perturbation_type"] == "digit expansion"
    kinds = {"kinds": ["critical thinking"]}
    of_a_kind = gsm_plus.make_splits(
        kinds, {"train": 2, "eval": 1, "audit": 1}, 0, tmp_path, tmp_path / "test.json"
    )
    assert {row["ground_truth"] for rows in of_a_kind.values() for row in rows} == {"None"}


def test_gsm_plus_says_what_it_lacks(tmp_path):
    path = write(tmp_path / "test.json", GSM_PLUS)
    with pytest.raises(
        ValueError, match=r"expected 4 problems for split 'audit', found 3 .* \(4 seed problems"
    ):
        gsm_plus.make_splits({}, {"train": 4, "eval": 2, "audit": 4}, 0, tmp_path, path)
    with pytest.raises(ValueError, match="'kinds' to be a list of adding operation, critical thinking"):
        gsm_plus.make_splits({"kinds": ["magic"]}, SIZES, 0, tmp_path, path)
    write(path, [of_gsm_plus(1, "digit expansion", "three")])
    with pytest.raises(
        ValueError, match="entry 1: field 'answer': expected a number for verifier 'gsm_plus'"
    ):
        gsm_plus.make_splits({}, SIZES, 0, tmp_path, path)


def test_a_problem_without_an_answer_is_right_where_the_mark_says_none():
    strict = gsm_plus.verifier_of({})

    def value(completion, truth, verifier=strict):
        return verifier.check(completion, true_row(truth)).value

    assert value("The text does not say.\n#### None", "None") == 1.0
    assert value(r"\boxed{\text{None}}", "None") == 1.0 and value("#### **none**.", "None") == 1.0
    assert value("None of them\n#### 3", "None") == 0.0 and value("It is none", "None") == 0.0
    assert value("#### None", "3") == 0.0 and value("#### 3", "3") == 1.0
    assert strict.check("#### None", true_row("3")) == (0.0, "None")
    lenient = gsm_plus.verifier_of({"answer": "lenient"})
    assert value("3 of them\n#### None", "3", lenient) == 0.0 and value("It is 3", "3", lenient) == 1.0
