"""The five kinds of easy polynomial problem: their numbers, their wording and their right answers."""

import random
from collections.abc import Callable
from dataclasses import dataclass

Ranges = dict[str, tuple[int, int]]

DEFAULT_RANGES: Ranges = {
    "lead": (1, 3),
    "coefficient": (-5, 5),
    "constant": (-5, 5),
    "x": (-4, 4),
    "slope": (2, 5),
    "root": (-9, 9),
}

DEFAULT_KINDS: dict[str, float] = {
    "evaluate": 0.25,
    "add": 0.2,
    "expand": 0.2,
    "differentiate": 0.15,
    "roots": 0.2,
}


@dataclass(frozen=True)
class Problem:
    """One problem: `numbers` are the given integers, in the order in which the prompt shows them."""

    kind: str
    numbers: tuple[int, ...]

    @property
    def prompt(self) -> str:
        """The wording that a model reads."""
        return _WORDING[self.kind](*self.numbers)

    @property
    def answer(self) -> str:
        """The right answer, as a number or an expanded polynomial in x."""
        return polynomial(*_ANSWER[self.kind](*self.numbers))


def polynomial(*coefficients: int) -> str:
    """Write coefficients, highest power first, as `2x^2-3x+1`; 1 and 0 are shown like any other."""
    powers = [""] if len(coefficients) == 1 else ["", "x", "x^2", "x^3"][len(coefficients) - 1 :: -1]
    first, *rest = coefficients
    return f"{first}{powers[0]}" + "".join(f"{c:+d}{p}" for c, p in zip(rest, powers[1:], strict=True))


def draw(kind: str, ranges: Ranges, rng: random.Random) -> Problem:
    """Draw one problem of a kind; no given number is ever 0."""
    names = _NUMBERS[kind]
    numbers = tuple(_nonzero(ranges[name], rng) for name in names)
    if kind == "roots":
        slope, constant, root = numbers
        numbers = (slope, constant, slope * root + constant)
    return Problem(kind, numbers)


def _nonzero(bounds: tuple[int, int], rng: random.Random) -> int:
    while True:
        number = rng.randint(*bounds)
        if number:
            return number


_NUMBERS: dict[str, tuple[str, ...]] = {
    "evaluate": ("lead", "coefficient", "constant", "x"),
    "add": ("lead", "coefficient", "constant", "lead", "coefficient", "constant"),
    "expand": ("lead", "constant", "lead", "constant"),
    "differentiate": ("lead", "coefficient", "coefficient", "constant"),
    "roots": ("slope", "constant", "root"),
}

_WORDING: dict[str, Callable[..., str]] = {
    "evaluate": lambda a, b, c, x: f"Evaluate {polynomial(a, b, c)} at x={x}.",
    "add": lambda a, b, c, d, e, f: f"Add ({polynomial(a, b, c)})+({polynomial(d, e, f)}).",
    "expand": lambda a, b, c, d: f"Expand ({polynomial(a, b)})({polynomial(c, d)}).",
    "differentiate": lambda a, b, c, d: f"Differentiate {polynomial(a, b, c, d)}.",
    "roots": lambda a, b, right: f"Solve {polynomial(a, b)}={right}.",
}

_ANSWER: dict[str, Callable[..., tuple[int, ...]]] = {
    "evaluate": lambda a, b, c, x: (a * x * x + b * x + c,),
    "add": lambda a, b, c, d, e, f: (a + d, b + e, c + f),
    "expand": lambda a, b, c, d: (a * c, a * d + b * c, b * d),
    "differentiate": lambda a, b, c, d: (3 * a, 2 * b, c),
    "roots": lambda a, b, right: ((right - b) // a,),
}
