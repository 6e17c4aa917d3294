import json
from pathlib import Path

import pytest

from gavel_train.tasks.gsm8k_verifier import answer_in, number_of_truth, verify

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "gsm8k"


@pytest.mark.parametrize(
    "answer",
    [
        *("1234", "1,234", "1234.0", "$1234", "$1,234.00", "\\$1,234", "1{,}234", "1\\,234", "1\u202f234"),
        *("**1234**", "1234 apples", "1234%", "1234\\%", "1,234.", "x = 1234", "1000 + 234 = 1234"),
    ],
)
def test_ways_to_write_a_marked_number_are_equal(answer):
    for text in (f"Some work.\n#### {answer}", f"Some work. \\boxed{{{answer}}} is it."):
        assert verify(text, "1234")
        assert verify(text, "1,234")


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("\u22125", -5),
        ("- 5", -5),
        ("-$5", -5),
        ("$-5", -5),
        ("10 - 5 = 5", 5),
        ("5 - 10 = \u22125", -5),
        ("1/2", 0.5),
        ("1 1/2 hours", 1.5),
        ("-1 1/2", -1.5),
        ("\\frac{1}{2}", 0.5),
        ("1/0", None),
        (".5", 0.5),
        ("60 km/h", 60),
        ("5 (of 10)", None),
        ("5 or 6 or 7", None),
        ("between 5 and 9", None),
        ("12, 13, 14", None),
        ("x = 3, y = 4", None),
        ("5 m^2", 5),
        ("10 - 5", None),
        ("2*3", None),
        ("2**3", None),
        ("1/2 + 1/3", None),
        ("3:30", None),
        ("1,5", None),
        ("many", None),
        ("", None),
    ],
)
def test_a_marked_answer_is_one_number_and_an_open_expression_is_none(answer, number):
    assert answer_in(f"work\n#### {answer}", "strict") == number
    assert answer_in(f"\\boxed{{{answer}}}", "strict") == number


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("#### 7\nbut 8 is close", 7, 7),
        ("#### 6\n#### 7", 7, 7),
        ("####\n7", 7, 7),
        ("\\boxed{6} no, \\boxed{7}", 7, 7),
        ("3 apples, 4 pears", None, 4),
        ("10-5", None, 5),
        ("the answer is -5", None, -5),
        ("0.5 each", None, 0.5),
        ("1,000,000", None, 1_000_000),
        ("so 3 + 4 = 7 and then 7 * 2", None, 2),
        ("6 is near.\n####", None, 6),
        ("6, so \\boxed{12", None, 12),
        ("it is 1/2", None, 0.5),
        ("it is 1 1/2", None, 1.5),
        ("on 3/4/2020", None, 2020),
        ("no number", None, None),
        ("#### " + "9" * 5000, float("inf"), float("inf")),
    ],
)
def test_strictly_only_a_marked_number_counts_and_leniently_the_last_one_does(text, strict, lenient):
    assert answer_in(text, "strict") == strict
    assert answer_in(text, "lenient") == lenient


def test_a_completion_cut_off_before_its_answer_is_wrong_even_where_its_last_number_is_right():
    cut_off = "She sells 9 eggs at $2, so 9 * 2 = 18"
    assert verify(cut_off, "18", "lenient")
    assert not verify(cut_off, "18")


def test_another_number_or_none_is_wrong_and_a_truth_may_be_a_fraction():
    assert not verify("#### 1235", "1234")
    assert not verify("I do not know", "1234")
    assert not verify("#### 5", "no number")
    assert verify("#### 0.5", "1/2")


@pytest.mark.parametrize(
    ("truth", "number"),
    [
        *(("18", 18), ("$1,234.50", 1234.5), ("-5", -5), ("50%", 50), ("18.", 18), ("1 1/2", 1.5)),
        ("3 + 15 = 18\n#### 18", 18),
        *((text, None) for text in ("Paris, 1900", "42 km", "A2", "x = 4", "x = 5, y = 4", "1/0", "")),
    ],
)
def test_a_ground_truth_is_a_number_where_that_is_all_it_says(truth, number):
    assert number_of_truth(truth) == number
    assert verify("it is 1900, 42, 2 or 4", truth, "lenient") is False


def published() -> list[tuple[str, str, bool]]:
    """(solution, truth, mark) of each solution that OpenAI published of its models, and its mark."""
    rows = [json.loads(line) for line in (SHARED / "example_model_solutions.jsonl").read_text().splitlines()]
    return [
        (solution["solution"], row["ground_truth"].rpartition("A:")[2], solution["is_correct"])
        for row in rows
        for solution in row.values()
        if isinstance(solution, dict)
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"NO GSM8K DATA at {SHARED}: the verifier is not measured")
def test_both_readings_agree_with_the_published_marks_of_real_models_solutions():
    solutions = published()
    assert len(solutions) == 5276
    lenient = [verify(text, truth, "lenient") == mark for text, truth, mark in solutions]
    marked = [(text.replace("\nA:", "\n####"), truth, mark) for text, truth, mark in solutions]
    strict = [verify(text, truth) == mark for text, truth, mark in marked]
    rates = sum(lenient) / len(solutions), sum(strict) / len(solutions)
    print(f"agreement with the published marks: lenient {rates[0]:.4f}, strict {rates[1]:.4f}")
    assert rates[0] > 0.999 and rates[1] > 0.999
    # Without its last line a solution has no answer, whatever its last number is.
    assert not any(verify(text.rpartition("\n####")[0], truth) for text, truth, _ in marked)
