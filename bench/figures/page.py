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
    "overlap": """Sides in seconds a step, the mean of 8 steps after 2 of warm-up: stock TRL with
an async reward function, which it calls once the whole batch is generated; gavel with `rollout:
cached` and with `served`, both with `max_staleness: 0`; `gavel served ahead` has `max_staleness:
1`. A step is 8 prompts of 64 tokens with 8 completions of at most 96 tokens each, which end at
many lengths; the policy has the shape of the demo's (0.8M, random weights, float32) and a LoRA
adapter of rank 8.

The judge is a queue in the gateway's place. It serves one call at a time; its service times for a
step sum to the given multiple of what `served` takes to generate a step without a judge, and one
call takes at most 2% of that sum. vLLM and the queue share one core, all trainers have the other
one, with one thread. Stock TRL and `cached` sample in the trainer's process: they generate and
update in turn on the trainer's core, and the sampler's core is idle.

`at least`, with `max_staleness: 0`, is the list schedule of the completions' recorded ends (each
is judged from its end on, in turn) and the update after it. With `max_staleness: 1` it is the
longer one of list schedule and update, as `served` has them in the same repeat. The ratio is `at
least` over gavel's step; the target, at most 1.1 times `at least`, is a ratio of 0.91. All else
that a step does counts as time over `at least`: publishing the adapter, the journal, requests. No
checkpoint falls into the measured steps.
""",
    "memory": """Sides in MiB above what the process held before the step: resident memory on a
CPU, torch's allocated memory on a GPU. Each side is a fresh process and trains all weights in
float32, with gradient checkpointing on. Shape: model, then prompt tokens / completion tokens at
most / completions a prompt, of 8 prompts. `rollout` is the sampling and judging of the whole
step; `backward` is forward and backward of one micro batch, which is one group. The ratio is
stock TRL's peak over gavel's. On the CPU glibc is told to give memory of 64 KiB and more back
when it is freed, on both sides.
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
