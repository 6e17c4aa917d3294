"""bench/README.md: the tables of all figures that are in bench/results."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1]

_HEAD = """# Figures

Each is a ratio of sides that did the same work in turn. `npm run bench` measures them
and writes this page; [faults.md](faults.md) and [audit-power.md](audit-power.md) have commands of
their own.
"""

# What each figure compares, beside its table.
_NOTES = Path(__file__).parent / "notes"


def page() -> str:
    """Return the page, from the results that are there."""
    return _HEAD + "".join(_section(path) for path in sorted((BENCH / "results").glob("*.json")))


def _section(path: Path) -> str:
    records = json.loads(path.read_text())
    # Cells that other commands measured, maybe with other versions, have a table of their own.
    tables = [_table(list(cells)) for _, cells in groupby(records, key=itemgetter("command"))]
    return f"\n## {path.stem}\n\n{''.join(tables)}{(_NOTES / f'{path.stem}.md').read_text()}"


def _table(records: list[dict[str, Any]]) -> str:
    first = records[0]
    versions = ", ".join(f"{name} {number}" for name, number in first["versions"].items())
    head = ("shape", "sides", "ratio, median (low to high)", "target", "met")
    table = [head, ("---", "---", "--:", "--:", "---"), *map(_row, records)]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    machine = "; ".join(
        [first["machine"], *([f"load {first['load']:g}"] if "load" in first else []), versions]
    )
    return f"```sh\n{first['command']}\n```\n\n{machine}.\n\n{lines}\n\n"


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    ratio = record["ratio"]
    return (
        record["shape"],
        ", ".join(f"{name} {value:g}" for name, value in record["sides"].items()),
        f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
        "" if record["target"] is None else f"{record['target']:.2f}",
        {True: "yes", False: "NO", None: ""}[record["met"]],
    )
