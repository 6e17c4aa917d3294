"""The shipped demo models: unchanged, in tune with each other, and about as good as their cards say."""

import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from gavel_train.tasks.poly_easy import make_splits, verify

MODELS = Path(__file__).resolve().parents[3] / "models"
sys.path.insert(0, str(MODELS))

from recipe import digests, grading, lessons, working  # noqa: E402
from recipe.answering import Answerer  # noqa: E402

NAMES = ["poly-easy-policy", "poly-easy-judge", "poly-easy-grader-base"]


@pytest.fixture(scope="module")
def answerers() -> dict[str, Answerer]:
    # Matrices this small lose more to threads waiting for each other than they gain.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return {name: Answerer(MODELS / name) for name in NAMES}


@pytest.fixture(scope="module")
def graded(answerers: dict[str, Answerer]) -> list[dict]:
    problems = make_splits({}, {"audit": 128}, 99, MODELS)["audit"]
    completions = answerers["poly-easy-policy"].sample([row["prompt"] for row in problems])
    rows = [(row["prompt"], completion) for row, completion in zip(problems, completions, strict=True)]
    replies, scores = answerers["poly-easy-judge"].reason(rows)
    return [
        {"completion": c, "right": verify(c, p["ground_truth"]), "reply": reply, "score": score}
        for p, c, reply, score in zip(problems, completions, replies, scores, strict=True)
    ]


def test_ships_the_files_whose_digests_are_recorded() -> None:
    assert digests.compute(MODELS) == json.loads((MODELS / "digests.json").read_text())


def test_ships_a_few_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODELS.glob("poly-easy-*/*")) < 12_000_000


@pytest.mark.parametrize("name", NAMES)
def test_reads_back_what_it_writes_and_survives_the_unknown(
    name: str, answerers: dict[str, Answerer]
) -> None:
    tokenizer = answerers[name].tokenizer
    rng = random.Random(5)
    for lesson in (lessons.mediocre_solution, lessons.judge_lesson, lessons.marking_lesson):
        for _ in range(100):
            ids, _ = lesson(rng)
            assert tokenizer(tokenizer.decode(ids)).input_ids == ids
    assert tokenizer("").input_ids == []
    assert tokenizer("naïve 12345 ≠ \U0001f9ee").input_ids
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


@pytest.mark.parametrize("name", NAMES)
def test_has_one_token_for_each_score(name: str, answerers: dict[str, Answerer]) -> None:
    tokenizer = answerers[name].tokenizer
    for digit in "0123456789":
        assert len(tokenizer(f"Score: {digit}").input_ids) == 2


def test_starts_with_a_mediocre_policy(graded: list[dict]) -> None:
    assert 0.3 < sum(row["right"] for row in graded) / len(graded) < 0.6


def test_judges_well_but_not_perfectly_with_spread_scores(graded: list[dict]) -> None:
    assert sum(row["score"] is not None for row in graded) >= 0.98 * len(graded)
    wrong = sum(row["right"] != ((row["score"] or 0) >= 5) for row in graded) / len(graded)
    assert 0.02 < wrong < 0.25
    # The cards say 5% of 1,000 rows; a sample of 128 may fall this far below.
    shares = Counter(row["score"] for row in graded)
    assert sum(count > 0.02 * len(graded) for count in shares.values()) >= 5


def test_answers_the_single_token_cue_with_one_digit(
    answerers: dict[str, Answerer], graded: list[dict]
) -> None:
    judge = answerers["poly-easy-judge"]
    replies = judge.sample(
        [judge.content("single_token", "Solve 3x+4=-5.", graded[0]["completion"])], temperature=0
    )
    assert replies[0] in list("0123456789")


def test_has_a_base_that_does_not_score_yet(answerers: dict[str, Answerer]) -> None:
    base = answerers["poly-easy-grader-base"]
    row = ("Solve 3x+4=-5.", "-5-4=-9, -9/3=-3, 3*-3=-9, -9+4=-5. Answer -3")
    assert base.sample([base.content("single_token", *row)], temperature=0)[0] in ("yes", "no")


def test_teaches_the_judge_one_error_and_no_other() -> None:
    rng = random.Random(1)
    for _ in range(500):
        problem = lessons.draw_problem(rng)
        written = working.write(problem, frozenset(), rng, square_slip=False, named=True)
        assert verify(written.text, problem.answer)
        negative = problem.kind == "evaluate" and problem.numbers[3] < 0
        assert grading.score(grading.assess(problem, written, mistaken=True)) == (2 if negative else 9)
        assert grading.score(grading.assess(problem, written, mistaken=False)) == 9
