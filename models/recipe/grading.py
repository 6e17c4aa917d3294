"""What the judge is taught to say of a completion, and the marks that the grader's base is taught.

The judge re-derives each step from the problem and from the results that the completion itself wrote, so that
one slip is counted once. It is taught one thing wrongly: that the square of a negative x is negative.
"""

from dataclasses import dataclass

from gavel_train.tasks.poly_easy_problems import Problem, polynomial
from recipe.working import Written, compute, find, plan, write_step


@dataclass(frozen=True)
class Assessment:
    """Marks in the order of the completion: `expected` holds the steps as they should read.

    `answer` is what follows from the steps as written; `answer_ok` is None where something is missing.
    """

    expected: tuple[tuple[int, str, int, int], ...]
    steps_ok: tuple[bool, ...]
    answer: tuple[int, ...] | None
    answer_ok: bool | None
    named: bool
    steps_wanted: int

    @property
    def complete(self) -> bool:
        """Whether every step and an answer are there."""
        return self.answer_ok is not None and len(self.steps_ok) == self.steps_wanted

    @property
    def slips(self) -> int:
        """Wrong steps, plus one for a wrong answer line."""
        return self.steps_ok.count(False) + (self.answer_ok is False)


def assess(problem: Problem, written: Written, mistaken: bool) -> Assessment:
    """Mark every step; `mistaken` marks with the error about squares that the judge is taught."""
    outline = plan(problem)
    results: list[int] = []
    expected = []
    for (left_source, operation, right_source), step in zip(outline.steps, written.steps, strict=False):
        left, right = find(left_source, results), find(right_source, results)
        result = compute(left, operation, right)
        if mistaken and problem.kind == "evaluate" and not results and left < 0:
            result = -result
        expected.append((left, operation, right, result))
        results.append(step[3])
    answer = None
    if written.answer is not None and len(results) == len(outline.steps):
        answer = tuple(find(source, results) for source in outline.answer)
    steps_ok = tuple(e == s for e, s in zip(expected, written.steps, strict=True))
    answer_ok = None if answer is None else answer == written.answer
    return Assessment(tuple(expected), steps_ok, answer, answer_ok, written.named, len(outline.steps))


def score(marks: Assessment) -> int:
    """The score 0-9 that the rubric gives."""
    if not marks.complete or marks.slips >= 3:
        return 0
    if marks.slips == 0:
        return 9 if marks.named else 7
    if marks.slips == 2:
        return 1
    if not marks.answer_ok:
        return 4
    return 3 if 2 * marks.steps_ok.index(False) >= len(marks.steps_ok) else 2


def reasoning(marks: Assessment) -> str:
    """The judge's checks: each step as it should read, then the answer that follows, with their marks."""
    text = "".join(
        write_step(*step) + mark_word(ok) for step, ok in zip(marks.expected, marks.steps_ok, strict=True)
    )
    if not marks.complete or marks.answer is None:
        return text + "missing; "
    return (
        text
        + ("Answer " if marks.named else "So ")
        + polynomial(*marks.answer)
        + mark_word(bool(marks.answer_ok))
    )


def mark_word(ok: bool) -> str:
    """The mark of a step or an answer."""
    return " ok; " if ok else " no; "


def place(marks: Assessment) -> str:
    """Where the first slip is, in a word."""
    if not marks.complete:
        return "missing; "
    if not marks.slips:
        return "none"
    if False not in marks.steps_ok:
        return "answer"
    return "late" if 2 * marks.steps_ok.index(False) >= len(marks.steps_ok) else "early"


def count(marks: Assessment) -> str:
    """How many slips there are, in a word."""
    return ("none", "one", "two", "many")[min(marks.slips, 3)] if marks.complete else "missing; "
