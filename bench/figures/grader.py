"""`grader`: verdicts per second of a judge that reasons and of a grader that answers with one token.

Weights are random, so this says nothing of what the verdicts are worth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from figures.figure import Figure, compare, interleaved
from figures.gateway import grading, settings
from figures.load import call
from figures.random_model import save
from figures.servers import cores, gateway, on, vllm

_TOKENS = 42
_IN_FLIGHT = 64
# The judge's shape, the grader's shape.
_PAIRS = (("25M", "25M"), ("25M", "0.8M"))

Verdicts = Callable[[int], float]


def measure(*, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Return a cell for graders of the judge's size, and, unless `quick`, one for a smaller grader."""
    figures = []
    for judge, grader in _PAIRS[:1] if quick else _PAIRS:
        calls = _IN_FLIGHT * (2 if quick else 6)
        with (
            _serving(judge, "reasoned", calls=calls) as judged,
            _serving(grader, "single_token", calls=calls) as graded,
        ):
            measured = {"reasoned judge": judged, "single-token grader": graded}
            sides = interleaved(measured, 2 if quick else 5)
        sizes = f"judge {judge}, {_TOKENS} tokens a verdict; grader {grader}"
        shape = f"{sizes}; {_IN_FLIGHT} in flight, verdicts per s"
        figures.append(compare("grader", shape, sides, ours="single-token grader", target=None))
        say(f"{figures[-1].shape}: {figures[-1].sides}, ratio {figures[-1].ratio}")
    return figures


@contextmanager
def _serving(model: str, mode: str, *, calls: int) -> Iterator[Verdicts]:
    """Yield what grades `calls` texts, each a new one, and returns the verdicts per second."""
    one, other = cores()
    numbers = count(1)
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as folder:
        run_dir = Path(folder)
        with (
            vllm(run_dir, save(model, run_dir / model), one) as url,
            gateway(run_dir, settings(url, tokens=_TOKENS), other) as through,
        ):

            def verdicts(_: int) -> float:
                with on(other):
                    load = call(
                        f"{through.url}/grade",
                        through.key,
                        grading(mode),
                        calls=calls,
                        in_flight=_IN_FLIGHT,
                        first=next(numbers) * 10**6,
                    )
                return calls / load.wall_s

            # The first calls pay for what later ones find made.
            verdicts(0)
            yield verdicts
