"""The page bench/audit-power.md: what was simulated, what came out, and what misses."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit_power.cases import BOUNDS, COVERED, JUST_BELOW, WORLD, Place
from audit_power.cells import Cell, Size
from audit_power.effects import correlation
from audit_power.figures import LEAST_COVERAGE, MOST_FALSE_PASSES, misses
from audit_power.simulate import SEED
from audit_power.tally import Tally

_HOW = """
`npm run audit-power -- --replicates {replicates} --out bench/audit-power.md` makes this page. It plants
graders whose true values are known, audits each of them {replicates:,} times on fresh rows by the code that
audits real graders (measures, intervals, gates), and counts the verdicts. Seed {seed};
{seconds:.0f} s of processor time; {versions}.
"""

_WORLD = """
Sizes are prompts / rows; prompts have 1, 2, 3 and 4 rows in turn. Half of the completions are right. The
judge recognizes {wrong:.0%} of the wrong and {right:.0%} of the right ones. Rows of one prompt are alike:
whether they are right has an intra-cluster correlation of {right_icc:.2f} (as in GSM8K), the judge's errors
{judge_icc:.2f}, and what the grader does 0.25. Intervals are 95% intervals.
"""


@dataclass(frozen=True)
class Results:
    """Cells of the three kinds, each with its tally, and how they were made."""

    bounds: Sequence[tuple[Cell, Tally]]
    wholes: Sequence[tuple[Cell, Tally]]
    covered: Sequence[tuple[Cell, Tally]]
    sizes: Sequence[Size]
    replicates: int
    seconds: float
    versions: str


def page_of(results: Results) -> str:
    """The page, in Markdown."""
    blocks = [
        _head(results),
        "## What misses its figure",
        *_misses(results),
        f"## Does a grader that is {JUST_BELOW} on the wrong side of a gate pass?",
        f"Wanted: it passes in at most {MOST_FALSE_PASSES:.1%} of the audits.",
        _bound_table(results, "below"),
        "## Does a grader that is exactly at a gate pass?",
        "It is good enough, but no interval can show it: it passes about as seldom as one below the gate.",
        _bound_table(results, "at"),
        "## Does a grader that is well on the right side of a gate pass?",
        "`gavel audit plan` says how many rows make this likely.",
        _bound_table(results, "above"),
        "## What do the default gates say of planted graders?",
        _prose(
            "Wanted: random, constant and off-scale graders never pass, and a perfect one never fails. Where "
            "a perfect one is INCONCLUSIVE, so few prompts without a miss do not exclude that others have "
            "one."
        ),
        _whole_table(results),
        "## Do the intervals hold the population value?",
        _prose(
            "Every measure of two graders: the share of intervals that hold the true value, and their mean "
            f"width. Wanted: {LEAST_COVERAGE:.0%} or more. Shares may be held more often than 95%: their "
            "intervals are exact for the worst case."
        ),
        *_coverage_tables(results),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(results: Results) -> str:
    wrong, right = WORLD.judge_right
    how = _HOW.format(
        replicates=results.replicates, seed=SEED, seconds=results.seconds, versions=results.versions
    )
    world = _WORLD.format(
        wrong=wrong,
        right=right,
        right_icc=correlation(WORLD.right_G),
        judge_icc=correlation(WORLD.judge_right_TG[1]),
    )
    return "\n\n".join(["# The audit is audited", _prose(how), _prose(world)])


def _prose(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 100, break_long_words=False, break_on_hyphens=False)


def _misses(results: Results) -> list[str]:
    found = list(misses(results.bounds, results.wholes, results.covered))
    if not found:
        return ["Nothing."]
    return ["\n".join(_prose(f"- {line}").replace("\n", "\n  ") for line in found)]


def _bound_table(results: Results, place: Place) -> str:
    rows = []
    for bound in BOUNDS:
        for cell, tally in results.bounds:
            if cell.name != f"{bound.name}, {place}":
                continue
            found = tally.intervals[bound.measure]
            rows.append(
                [
                    bound.name,
                    f"{bound.value(place):g}",
                    _size(cell.size),
                    *(f"{tally.share(verdict):.1%}" for verdict in ("PASS", "FAIL", "INCONCLUSIVE")),
                    f"{found.coverage:.1%}",
                    f"{found.mean_width:.3f}",
                ]
            )
    return _table(
        ["gate", "true", "size", "PASS", "FAIL", "INCONCLUSIVE", "interval holds it", "mean width"], rows
    )


def _whole_table(results: Results) -> str:
    rows = [
        [
            cell.name,
            _size(cell.size),
            *(f"{tally.share(verdict):.1%}" for verdict in ("PASS", "FAIL", "INCONCLUSIVE")),
            *(f"{_passes(tally, gate.id):.1%}" for gate in cell.gates),
        ]
        for cell, tally in results.wholes
    ]
    gates = [_gate(gate.id) for gate in results.wholes[0][0].gates]
    return _table(
        ["grader", "size", "PASS", "FAIL", "INCONCLUSIVE", *(f"passes {gate}" for gate in gates)], rows
    )


def _gate(gate: str) -> str:
    """The measure of a gate, and whose it is where it is not the grader's."""
    _, role, _, measure = gate.split(".")
    return f"{'' if role == 'grader' else f'{role} '}{measure.replace('_', ' ')}"


def _passes(tally: Tally, gate: str) -> float:
    return tally.by_gate[gate]["PASS"] / tally.replicates


def _coverage_tables(results: Results) -> Iterable[str]:
    for name in COVERED:
        cells = {cell.size: (cell, tally) for cell, tally in results.covered if cell.name == name}
        values = next(iter(cells.values()))[0].values
        rows = [
            [measure, f"{value:.4f}", *(_held(cells[size][1], measure) for size in results.sizes)]
            for measure, value in values.items()
        ]
        yield f"### {name[0].upper()}{name[1:]}"
        yield _table(["measure", "true", *(_size(size) for size in results.sizes)], rows)


def _held(tally: Tally, measure: str) -> str:
    found = tally.intervals.get(measure)
    if found is None or found.seen == 0:
        return "no interval"
    text = f"{found.coverage:.1%}, {found.mean_width:.3f}"
    missing = 1 - found.seen / tally.replicates
    return f"{text} (none in {missing:.1%})" if missing else text


def _size(size: Size) -> str:
    return f"{size[0]} / {size[1]}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
