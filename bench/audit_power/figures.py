"""The figures that the audit must meet, and what misses them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audit_power.cases import BOUNDS, WHOLE
from audit_power.cells import Cell
from audit_power.tally import Tally

# Nominal is 95%.
LEAST_COVERAGE = 0.93
# 2.5% and two standard errors of 2,000 replicates.
MOST_FALSE_PASSES = 0.032

Cells = Sequence[tuple[Cell, Tally]]


def misses(bounds: Cells, wholes: Cells, covered: Cells) -> Iterable[str]:
    """One sentence for each figure that is not met, with what the gate does then."""
    yield from _false_passes(bounds)
    yield from _wrong_verdicts(wholes)
    yield from _coverage([*bounds, *covered])


def _false_passes(bounds: Cells) -> Iterable[str]:
    for bound in BOUNDS:
        for cell, tally in bounds:
            if cell.name == f"{bound.name}, below" and tally.share("PASS") > MOST_FALSE_PASSES:
                yield (
                    f"{bound.name} at {_size(cell)}: a grader at {bound.value('below'):g} passes in "
                    f"{tally.share('PASS'):.1%} of the audits, wanted at most {MOST_FALSE_PASSES:.1%}."
                )


def _wrong_verdicts(wholes: Cells) -> Iterable[str]:
    for whole in WHOLE:
        for cell, tally in wholes:
            if cell.name == whole.name and tally.share(whole.never) > 0:
                yield (
                    f"{whole.name}, at {_size(cell)}: {whole.never} in {tally.share(whole.never):.1%} of the "
                    "audits, wanted none."
                )


def _coverage(cells: Cells) -> Iterable[str]:
    for cell, tally in cells:
        for measure, found in tally.intervals.items():
            if found.seen and found.coverage < LEAST_COVERAGE:
                gates = f" The gate then says PASS in {tally.share('PASS'):.1%}." if cell.gates else ""
                yield (
                    f"`{measure}` of `{cell.name}` at {_size(cell)}: {found.coverage:.1%} of the intervals "
                    f"hold {cell.values[measure]:.4g}; {found.too_high / found.seen:.1%} lie above it and "
                    f"{found.too_low / found.seen:.1%} below.{gates}"
                )


def _size(cell: Cell) -> str:
    return f"{cell.size[0]} prompts, {cell.size[1]} rows"
