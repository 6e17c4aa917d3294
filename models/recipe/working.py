"""Worked solutions as chains of checkable steps, with slips put in on purpose.

A completion is `step, step, ... step. Answer VALUE` or, less well named, `... So VALUE`; a step is `A*B=C`,
`A+B=C`, `A-B=C` or `A/B=C`. It uses numbers of the problem and results of earlier steps, so slips carry on.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gavel_train.tasks.poly_easy_problems import Problem, polynomial
from recipe.vocabulary import LARGEST

# Where a number comes from: ("given", value) or ("result", index of an earlier step).
Source = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """How a problem is solved: each step's operands and operation, and what the answer is made of."""

    steps: tuple[tuple[Source, str, Source], ...]
    answer: tuple[Source, ...]


@dataclass(frozen=True)
class Written:
    """A completion as numbers: `steps` as (left, operation, right, result), `answer` None where left out."""

    steps: tuple[tuple[int, str, int, int], ...]
    answer: tuple[int, ...] | None
    named: bool

    @property
    def text(self) -> str:
        """The completion as a model writes it."""
        body = ", ".join(write_step(*step) for step in self.steps)
        if self.answer is None:
            return body
        return (body + ". " if body else "") + ("Answer " if self.named else "So ") + polynomial(*self.answer)


def write_step(left: int, operation: str, right: int, result: int) -> str:
    """One step as text; a sum shows its sign as part of the second number."""
    second = f"{right:+d}" if operation == "+" else f"{operation}{right}"
    return f"{left}{second}={result}"


def plan(problem: Problem) -> Plan:
    """The chain of steps that solves a problem."""
    return _PLANS[problem.kind](*problem.numbers)


def compute(left: int, operation: str, right: int) -> int:
    """The right result of a step; a quotient that is not whole, as after a slip, is cut towards zero."""
    if operation == "*":
        return left * right
    if operation == "+":
        return left + right
    return int(left / right)


def find(source: Source, results: list[int]) -> int:
    """The number that a source stands for, given the results written so far."""
    where, value = source
    return value if where == "given" else results[value]


def write(
    problem: Problem, slips: frozenset[int], rng: random.Random, square_slip: bool, named: bool
) -> Written:
    """Solve a problem with a slip in each of the steps `slips` (index len(steps) means the answer line).

    `square_slip` takes the square of x with the wrong sign in the first step of an evaluation.
    """
    outline = plan(problem)
    results: list[int] = []
    steps = []
    for index, (left_source, operation, right_source) in enumerate(outline.steps):
        left, right = find(left_source, results), find(right_source, results)
        if square_slip and index == 0:
            step = (left, operation, right, -left * right)
        elif index in slips:
            step = _slip(left, operation, right, rng)
        else:
            step = (left, operation, right, compute(left, operation, right))
        steps.append(step)
        results.append(step[3])
    answer = tuple(find(source, results) for source in outline.answer)
    if len(outline.steps) in slips:
        place = rng.randrange(len(answer))
        answer = tuple(_near(n, rng) if i == place else n for i, n in enumerate(answer))
    return Written(tuple(steps), answer, named)


def fits(written: Written) -> bool:
    """Whether every number has a token of its own."""
    numbers = [n for left, _, right, result in written.steps for n in (left, right, result)]
    return all(abs(n) <= LARGEST for n in [*numbers, *(written.answer or ())])


def _slip(left: int, operation: str, right: int, rng: random.Random) -> tuple[int, str, int, int]:
    """Get the result wrong (four times in five) or take down a wrong operand and go on rightly from it."""
    if rng.random() < 0.8 or operation == "/":
        return left, operation, right, _near(compute(left, operation, right), rng)
    wrong = _near(right, rng)
    if rng.random() < 0.5:
        return left, operation, wrong, compute(left, operation, wrong)
    wrong = _near(left, rng)
    return wrong, operation, right, compute(wrong, operation, right)


def _near(number: int, rng: random.Random) -> int:
    if number and rng.random() < 0.3:
        return -number
    return number + rng.choice((-2, -1, 1, 2))


def _given(value: int) -> Source:
    return ("given", value)


def _result(index: int) -> Source:
    return ("result", index)


def _evaluate(a: int, b: int, c: int, x: int) -> Plan:
    steps = (
        (_given(x), "*", _given(x)),
        (_given(a), "*", _result(0)),
        (_given(b), "*", _given(x)),
        (_result(1), "+", _result(2)),
        (_result(3), "+", _given(c)),
    )
    return Plan(steps, (_result(4),))


def _add(a: int, b: int, c: int, d: int, e: int, f: int) -> Plan:
    steps = tuple((_given(one), "+", _given(two)) for one, two in ((a, d), (b, e), (c, f)))
    return Plan(steps, (_result(0), _result(1), _result(2)))


def _expand(a: int, b: int, c: int, d: int) -> Plan:
    steps = (
        (_given(a), "*", _given(c)),
        (_given(a), "*", _given(d)),
        (_given(b), "*", _given(c)),
        (_result(1), "+", _result(2)),
        (_given(b), "*", _given(d)),
    )
    return Plan(steps, (_result(0), _result(3), _result(4)))


def _differentiate(a: int, b: int, c: int, _: int) -> Plan:
    steps = tuple((_given(number), "*", _given(power)) for number, power in ((a, 3), (b, 2), (c, 1)))
    return Plan(steps, (_result(0), _result(1), _result(2)))


def _roots(a: int, b: int, right: int) -> Plan:
    steps = (
        (_given(right), "+", _given(-b)),
        (_result(0), "/", _given(a)),
        (_given(a), "*", _result(1)),
        (_result(2), "+", _given(b)),
    )
    return Plan(steps, (_result(1),))


_PLANS: dict[str, Callable[..., Plan]] = {
    "evaluate": _evaluate,
    "add": _add,
    "expand": _expand,
    "differentiate": _differentiate,
    "roots": _roots,
}
