"""`npm run audit-power`: audits planted graders many times, and says whether the audit keeps its word.

Stopped and started again, it goes on where it was. Exits 1 where a figure is not met.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

import numpy
import scipy

from audit_power.cells import SIZES, Size, bound_cells, covered_cells, whole_cells
from audit_power.figures import misses
from audit_power.kept import Kept
from audit_power.page import Results, page_of
from audit_power.simulate import simulate


def main() -> None:
    """Simulate, print or write the page."""
    asked = _arguments()
    kinds = [bound_cells(asked.sizes), whole_cells(asked.sizes), covered_cells(asked.sizes)]
    cells = [cell for kind in kinds for cell in kind]
    found = simulate(cells, asked.replicates, asked.jobs, Kept())
    tallies = iter(found)
    bounds, wholes, covered = ([(cell, next(tallies)) for cell in kind] for kind in kinds)
    results = Results(
        bounds=bounds,
        wholes=wholes,
        covered=covered,
        sizes=asked.sizes,
        replicates=asked.replicates,
        seconds=sum(tally.seconds for tally in found),
        versions=f"Python {platform.python_version()}, numpy {numpy.__version__}, scipy {scipy.__version__}",
    )
    page = page_of(results)
    if asked.out is None:
        print(page)
    else:
        asked.out.write_text(page)
    missed = list(misses(bounds, wholes, covered))
    print(f"{len(missed)} figures are not met.", *missed, sep="\n", file=sys.stderr)
    sys.exit(1 if missed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="audit-power", description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000, help="audits of each grader at each size")
    parser.add_argument(
        "--sizes",
        type=_size,
        nargs="+",
        default=list(SIZES),
        metavar="PROMPTSxROWS",
        help="say 40x100 80x200",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=None, help="write the page there instead of printing it")
    return parser.parse_args()


def _size(text: str) -> Size:
    prompts, _, rows = text.partition("x")
    if not (prompts.isdigit() and rows.isdigit() and 0 < int(prompts) <= int(rows)):
        raise argparse.ArgumentTypeError(f"expected PROMPTSxROWS, say 40x100, got {text}")
    return int(prompts), int(rows)


if __name__ == "__main__":
    main()
