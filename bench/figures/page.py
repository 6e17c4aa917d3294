"""bench/README.md: the tables of all figures that are in bench/results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1]

_HEAD = """# Figures

Each is a ratio of sides that did the same work in turn. `npm run bench` measures them
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
    "sft": """LoRA of rank 16 on all linear layers, 16 rows a batch, prompts of 48 to 400 tokens, every
other reply a digit and the others 16 to 96 tokens; padding is the share of a batch's tokens. Sides in
non-padding tokens per second; the ratio is gavel over the better of the others, repeat by repeat.
`stock` is SFTTrainer with TRL's own defaults: random batches, gradient checkpointing, `chunked_nll`.
The second side has the settings that make stock fastest here: `group_by_length`, no gradient
checkpointing.
""",
    "pipeline": """Seconds, and gavel's over stock's: at most 1.03 is the target. Both sides take models,
prompts and settings of one spec of `examples/`, start their own vLLM with the same flags, and give a
trainer one thread. Stock is `bench/figures/stock_pipeline/`: TRL's trainers with `save_steps`, a bare
vLLM and the `openai` client, no module of gavel; as in gavel, a trainer loads while its vLLM starts. A
stage lasts from its start to its result, the start and the end of its vLLM included. gavel's Temporal
server and worker are up before; Temporal's history gives the times of its stages. What gavel does and
stock leaves out: a durable trace of each call, checkpoints with digests, intervals and gates in the
audit. Counts are stock's, then gavel's: different engines sample the completions, and gavel reuses the
reply to a text that it has asked about at temperature 0. The last row adds what gavel does before and
after the stages.
    "gateway": """`latency`: a model server of the bench answers each chat completion after a fixed time, with
log-probabilities of 20 tokens at each position, as the gateway asks for. `direct` sends it the very request
that the gateway sends; `grade` is gavel's verdict, `chat` the drop-in route with recording on; both return
when the trace is on disk, so a sync of the disk is part of what they add. Gateway on one core, client and
model server on the other. The ratio is the median latency of `direct` over that of `grade`; its target is
2 ms more. `throughput`: vLLM on one core, gateway and client on the other, random weights. The client is
the HTTP library of gavel's trainers (aiohttp), on every side.
""",
    "ledger": """Traces of about 3 KB. `plain` is a loop over JSON Lines in the same language that does the
same work and checks nothing; gavel checks the checksum of every line that it reads. `replay` opens a ledger
whose segments are sealed, which reads key indexes; `replay-lines` opens one without indexes. `filter` finds
the traces with a score of 8 or more. `export` writes the grader's conversations, in order, without repeats,
with a hold-out; both sides write the same bytes. `resume` is what an attempt does before its trainer starts,
with a checkpoint every ten steps of 100 traces; `plain` looks up each rollout's trace and verifies no digest.
Rows of memory have the peak of `plain` over gavel's as ratio. They are met where a trace adds at most 256
bytes to gavel's peak: its index is held, the trace is not. A resume verifies every line that counts at each
attempt, and therefore takes as long for old traces as for new ones.
""",
    "grader": """Verdicts per second through the gateway's grade route, vLLM on one core, gateway and client
on the other, random weights: a ratio of modes and of sizes, and no claim about quality. A reasoned verdict
has 42 tokens, a single-token verdict one, with its ten digits' probabilities.
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
