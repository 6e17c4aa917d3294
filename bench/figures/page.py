"""bench/README.md: the tables of all figures that are in bench/results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1]

_HEAD = """# Figures

Each is a ratio of sides that did the same work in turn, in one process. `npm run bench` measures them
and writes this page; [faults.md](faults.md) and [audit-power.md](audit-power.md) have commands of
their own.
"""

_NOTES = {
    "rollouts": """Shape: model, then prompt tokens / completion tokens at most / completions a prompt, of 8
prompts. Sides in non-padding completion tokens per second; the ratio is `gavel cached` over the better
of stock TRL's, repeat by repeat. All sides sample from the same weights, with gradient checkpointing on;
a last layer gives the end token the same probability at every step, so that completions end at many
lengths. 0.8M and 25M are Qwen3 shapes with random weights in float32; 135M is SmolLM2-135M-Instruct in
bfloat16.
""",
    "generations": """The ratio is the speed of the last 100 generations over that of the first 100. The
target is gavel's: at most 5% slower at the end, and no hook more.
""",
    "plan": """The ratio is the predicted over the measured time of a GRPO step of gavel's trainer; the
target is that neither is more than 1.25 times the other. Rates of a core (arithmetic, memory, the launch
of a kernel, the fixed part of a step) are fitted to the phases of the fitted cases, and predict the checked
ones, whose models and lengths no fitted case has; the mean length of completions is measured.
Shape: engine, layers x hidden size, vocabulary, what is trained, prompt tokens / completion tokens at
most / completions a prompt. Random Qwen3 weights in float32, gradient checkpointing on, the trainer on one
core and vLLM on another. The judge is a queue: so many calls at once, each of so many seconds.
""",
}


def page() -> str:
    """Return the page, from the results that are there."""
    return _HEAD + "".join(_section(path) for path in sorted((BENCH / "results").glob("*.json")))


def _section(path: Path) -> str:
    records = json.loads(path.read_text())
    first = records[0]
    versions = ", ".join(f"{name} {number}" for name, number in first["versions"].items())
    head = ("shape", "sides", "ratio, median (low to high)", "target", "met")
    table = [head, ("---", "---", "--:", "--:", "---"), *map(_row, records)]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    return (
        f"\n## {path.stem}\n\n```sh\n{first['command']}\n```\n\n{first['machine']}; {versions}.\n\n"
        f"{lines}\n\n{_NOTES[path.stem]}"
    )


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    ratio = record["ratio"]
    return (
        record["shape"],
        ", ".join(f"{name} {value:g}" for name, value in record["sides"].items()),
        f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
        "" if record["target"] is None else f"{record['target']:.2f}",
        {True: "yes", False: "NO", None: ""}[record["met"]],
    )
