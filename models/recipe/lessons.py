"""Training rows, made without end from a seeded generator: token ids, and labels where the loss applies."""

import random
from collections.abc import Callable

from gavel_train.tasks.poly_easy_problems import DEFAULT_KINDS, DEFAULT_RANGES, Problem, draw
from recipe import grading
from recipe.vocabulary import ASSISTANT, END, IDS, USER, encode
from recipe.working import Written, fits, plan, write

IGNORED = -100

Row = tuple[list[int], list[int]]
Lesson = Callable[[random.Random], Row]

_SEPARATORS = {IDS[", "], IDS[". "]}


def draw_problem(rng: random.Random) -> Problem:
    """One problem in the default ranges."""
    return draw(rng.choices(list(DEFAULT_KINDS), list(DEFAULT_KINDS.values()))[0], DEFAULT_RANGES, rng)


def attempt(problem: Problem, rng: random.Random, right: float, square_slip: float) -> Written:
    """A complete solution, without a planned slip at probability `right`.

    `square_slip` is the probability that the square of a negative x gets the wrong sign besides.
    """
    while True:
        steps = len(plan(problem).steps)
        count = 0 if rng.random() < right else rng.choices((1, 2, 3), (0.62, 0.26, 0.12))[0]
        # Slips in the check that ends a root's working would leave its answer right.
        places = [0, 1, steps] if problem.kind == "roots" and rng.random() < 0.9 else range(steps + 1)
        slips = frozenset(rng.sample(places, min(count, len(places))))
        negative = problem.kind == "evaluate" and problem.numbers[3] < 0
        written = write(problem, slips, rng, negative and rng.random() < square_slip, rng.random() < 0.72)
        if fits(written):
            return written


def clean_solution(rng: random.Random) -> Row:
    """The policy's first lesson: a right solution with a named answer."""
    problem = draw_problem(rng)
    return _reply_row(problem.prompt, write(problem, frozenset(), rng, False, True).text)


def mediocre_solution(rng: random.Random) -> Row:
    """The policy's second lesson: a solution with slips more often than not."""
    problem = draw_problem(rng)
    return _reply_row(problem.prompt, attempt(problem, rng, right=0.48, square_slip=0.27).text)


def poor_solution(rng: random.Random) -> Row:
    """The grader base's second lesson, before it marks: slips a little more often than the policy's."""
    problem = draw_problem(rng)
    return _reply_row(problem.prompt, attempt(problem, rng, right=0.42, square_slip=0.3).text)


def judge_lesson(rng: random.Random) -> Row:
    """A judge's reply with its reasoning, or the score alone."""
    problem, written = _graded_attempt(rng)
    marks = grading.assess(problem, written, mistaken=True)
    digit = str(grading.score(marks))
    if rng.random() < 0.7:
        return _graded_row(
            problem, written, marks, "Check each step.", f"{grading.reasoning(marks)}Score: {digit}"
        )
    return _graded_row(problem, written, marks, "Score only.", digit)


def marking_lesson(rng: random.Random) -> Row:
    """The grader's base: is it right, how many slips, where, and marks of the steps; never a score.

    Whether the square of a negative x is negative is left open (one row in two) for the judge to settle.
    """
    problem, written = _graded_attempt(rng)
    marks = grading.assess(problem, written, mistaken=rng.random() < 0.5)
    verdict = "yes" if marks.complete and not marks.slips else "no"
    cue, reply = rng.choices(
        (
            ("Score only.", verdict),
            ("How many wrong?", grading.count(marks)),
            ("Where wrong?", grading.place(marks)),
            ("Check each step.", f"{grading.reasoning(marks)}Score: {verdict}"),
        ),
        (0.3, 0.2, 0.3, 0.2),
    )[0]
    return _graded_row(problem, written, marks, cue, reply)


def grading_content(prompt: str, completion: str, cue: str) -> str:
    """What the rubric's template makes of a prompt, a completion and a mode's cue."""
    return f"{prompt}\n{completion}\n{cue}"


def _graded_attempt(rng: random.Random) -> tuple[Problem, Written]:
    problem = draw_problem(rng)
    written = attempt(problem, rng, right=0.5, square_slip=0.35)
    if rng.random() < 0.04:
        # A policy under training also stops short or leaves steps out.
        kept = written.steps[: rng.randrange(len(written.steps))]
        written = Written(kept, written.answer if rng.random() < 0.5 else None, written.named)
    return problem, written


def _reply_row(content: str, reply: str) -> Row:
    given = [IDS[USER], *encode(content), IDS[ASSISTANT]]
    taught = [*encode(reply), IDS[END]]
    return given + taught, [IGNORED] * len(given) + taught


def _graded_row(problem: Problem, written: Written, marks: grading.Assessment, cue: str, reply: str) -> Row:
    """A grading row; after each step of the completion the mark itself is taught, not only in the reply.

    These marks in place let one forward pass see all steps: the reply's first token can rest on them.
    """
    ids, labels = _reply_row(grading_content(problem.prompt, written.text, cue), reply)
    position = 1 + len(encode(problem.prompt)) + 1
    oks = list(marks.steps_ok)
    if marks.answer_ok is not None:
        oks.append(marks.answer_ok)
    for ok in oks:
        while ids[position] not in _SEPARATORS and ids[position] != IDS["\n"]:
            position += 1
        # A label belongs to the position before it: the loss shifts by one.
        labels[position + 1] = IDS[grading.mark_word(ok)]
        position += 1
    return ids, labels
