"""`npm run bench -- --only rollouts`: figures of gavel's trainer beside stock TRL's, as ratios of one run.

Each figure is written to bench/results/<figure>.json, and all that are there to the tables of
bench/README.md.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

from figures.page import BENCH, page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from figures.figure import Figure

FIGURES = (
    "rollouts",
    "generations",
    "memory",
    "overlap",
    "gateway",
    "ledger",
    "grader",
    "sft",
    "pipeline",
    "plan",
)


def main() -> int:
    """Measure what was asked for; return 1 where a model is missing."""
    parser = argparse.ArgumentParser(prog="npm run bench --", description=__doc__)
    parser.add_argument("--only", choices=FIGURES, action="append", help="a figure; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer shapes and generations")
    parser.add_argument(
        "--models", default="0.8M,25M,135M", help="of rollouts and sft (default: %(default)s)"
    )
    parser.add_argument("--shapes", help="for rollouts: prompt/completion/group, separated by commas")
    parser.add_argument("--repeats", type=int, default=3, help="of each cell (default: %(default)s)")
    parser.add_argument(
        "--no-continuous", action="store_true", help="leave TRL's continuous batching out, slow on a CPU"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the cells of earlier runs that this one does not measure"
    )
    parser.add_argument("--table", action="store_true", help="measure nothing; write bench/README.md")
    options = parser.parse_args()
    if options.table:
        _write_page()
        return 0
    from figures.figure import write
    from figures.models import MissingModel, check

    names = options.only or FIGURES
    try:
        # Hours of other figures would come before the one that misses it.
        if {"rollouts", "sft"} & set(names):
            for model in options.models.split(","):
                check(model)
    except MissingModel as error:
        print(
            f"The model 135M is not installed. Run `{error}`, or leave it out with --models.",
            file=sys.stderr,
        )
        return 1
    command = " ".join(["npm run bench --", *sys.argv[1:]])
    for name in names:
        path = BENCH / "results" / f"{name}.json"
        found: list[Figure] = []
        for figure in _measure(name, options):
            found.append(figure)
            # What a run has measured that is ended before its last cell is kept.
            write(path, found, command, keep=True)
        write(path, found, command, keep=options.keep)
        _write_page()
    return 0


def _write_page() -> None:
    (BENCH / "README.md").write_text(page())


def _measure(name: str, options: argparse.Namespace) -> Iterable[Figure]:
    """Measure a figure, cell by cell, which takes of the options what it has a use for."""
    measure = import_module(f"figures.{name}").measure
    given = {
        "quick": options.quick,
        "repeats": options.repeats,
        "models": options.models.split(","),
        "shapes": options.shapes,
        "continuous": not options.no_continuous,
        "say": lambda line: print(line, file=sys.stderr, flush=True),
    }
    return measure(**{key: given[key] for key in signature(measure).parameters})


if __name__ == "__main__":
    raise SystemExit(main())
