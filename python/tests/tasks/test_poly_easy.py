"""The poly_easy task: disjoint and reproducible splits, a verifier that is exact and never raises."""

from pathlib import Path

import pytest

from gavel_train.tasks.poly_easy import make_splits, verify
from gavel_train.tasks.poly_easy_problems import DEFAULT_KINDS, Problem, polynomial

SIZES = {"train": 200, "eval": 60, "audit": 80}


def splits(params: dict | None = None, sizes: dict | None = None, seed: int = 7) -> dict[str, list[dict]]:
    return make_splits(params or {}, sizes or SIZES, seed, Path())


def test_fills_every_split_with_rows_of_the_task_interface() -> None:
    made = splits()
    assert {name: len(rows) for name, rows in made.items()} == SIZES
    for rows in made.values():
        for row in rows:
            assert set(row) == {"id", "prompt", "ground_truth", "meta"}
            assert verify(f"Answer {row['ground_truth']}", row["ground_truth"])
    assert {row["meta"]["kind"] for row in made["train"]} == set(DEFAULT_KINDS)


def test_keeps_prompts_and_ids_apart_between_and_within_splits() -> None:
    made = splits()
    prompts = [row["prompt"] for rows in made.values() for row in rows]
    ids = [row["id"] for rows in made.values() for row in rows]
    assert len(set(prompts)) == len(set(ids)) == sum(SIZES.values())


def test_repeats_itself_for_a_seed_and_differs_between_seeds() -> None:
    assert splits(seed=3) == splits(seed=3)
    assert splits(seed=3) != splits(seed=4)


def test_draws_only_the_kinds_and_ranges_that_params_allow() -> None:
    made = splits({"kinds": {"evaluate": 1, "roots": 0}, "x": [-2, -1], "lead": [2, 2]}, {"train": 50})
    for row in made["train"]:
        lead, _, _, x = row["meta"]["numbers"]
        assert row["meta"]["kind"] == "evaluate" and lead == 2 and x in (-2, -1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"coeficient": [1, 2]}, "nearest: 'coefficient'"),
        ({"kinds": {"evalute": 1}}, "nearest: 'evaluate'"),
        ({"kinds": {}}, "'kinds'"),
        ({"kinds": {"add": -1}}, "'kinds.add'"),
        ({"kinds": {"add": 0}}, "above 0"),
        ({"x": [3, 1]}, "'x'"),
        ({"x": [0, 0]}, "'x'"),
        ({"x": "1-3"}, "'x'"),
        ({"x": [1.5, 2]}, "'x'"),
        ({"root": [0, 100000]}, "'root'"),
    ],
)
def test_names_the_param_that_is_wrong(params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        splits(params)


def test_names_the_split_that_cannot_be_filled() -> None:
    with pytest.raises(ValueError, match="'eval' cannot be filled: 9 distinct prompts wanted, 0 found"):
        splits(
            {"kinds": {"roots": 1}, "slope": [2, 2], "root": [1, 3], "constant": [1, 1]},
            {"train": 3, "eval": 9},
        )
    with pytest.raises(ValueError, match="nearest: 'audit'"):
        splits(sizes={"audits": 3})


@pytest.mark.parametrize(
    ("problem", "prompt", "answer"),
    [
        (Problem("evaluate", (2, -3, 1, -2)), "Evaluate 2x^2-3x+1 at x=-2.", "15"),
        (Problem("add", (2, -3, 1, 1, 3, -5)), "Add (2x^2-3x+1)+(1x^2+3x-5).", "3x^2+0x-4"),
        (Problem("expand", (2, 3, 1, -4)), "Expand (2x+3)(1x-4).", "2x^2-5x-12"),
        (Problem("differentiate", (2, -4, 5, -1)), "Differentiate 2x^3-4x^2+5x-1.", "6x^2-8x+5"),
        (Problem("roots", (3, 4, -5)), "Solve 3x+4=-5.", "-3"),
    ],
)
def test_words_and_solves_each_kind(problem: Problem, prompt: str, answer: str) -> None:
    assert (problem.prompt, problem.answer) == (prompt, answer)


def test_writes_every_coefficient() -> None:
    assert polynomial(1, 0, -1) == "1x^2+0x-1"


@pytest.mark.parametrize(
    ("completion", "truth"),
    [
        ("2*4=8, 8+7=15. Answer 15", "15"),
        ("So 15", "15"),
        ("so x = 15.", "15"),
        ("The answer is: 30/2", "15"),
        ("15", "15"),
        (r"Hence \boxed{x=15}", "15"),
        ("Answer 2x^2 - 5x - 12", "2x^2-5x-12"),
        ("Answer (2x+3)(x-4)", "2x^2-5x-12"),
        ("Answer 3x^2-4", "3x^2+0x-4"),
        ("Answer -4+3*x**2", "3x^2+0x-4"),
        ("Answer 14. No: Answer 15", "15"),
    ],
)
def test_accepts_equal_answers_however_written(completion: str, truth: str) -> None:
    assert verify(completion, truth)


@pytest.mark.parametrize(
    "completion",
    [
        "",
        " ",
        "Answer",
        "Answer 14",
        "Answer 15. So 14",
        "Answer 1 5",
        "Answer +",
        "Answer ((((",
        "Answer 15)",
        "Answer 1/0",
        "Answer 9^9^9^9^9",
        "Answer 9**9**9",
        "Answer 2^(9^9)",
        "Answer 2^99999999999",
        "Answer (((x+1)^9)^9)^9",
        "Answer ().__class__",
        "Answer __import__('os')",
        "Answer 15 or 16",
        "Answer 15\x00",
        "Answer \u0661\u0665",
        "=" * 10_000,
        "Answer " + "(" * 5_000,
        "Answer x" + "x" * 60,
        "Answer ..",
        "Answer x(1)(2",
    ],
)
def test_calls_junk_and_wrong_answers_wrong_without_raising(completion: str) -> None:
    assert verify(completion, "15") is False
