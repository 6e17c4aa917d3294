"""Stock TRL under faults: supervisor, nemesis and measurement for stock_trl.py.

`python bench/faults/stock/stock.py --judge-url http://HOST:PORT/v1 --judge-model NAME --out FOLDER` trains once
undisturbed (the reference), once more (does it repeat itself?), then once for each kind of fault with
`--count` faults in it, each at a seeded random moment after the fault before was made good. A dead trainer is
started again at once. After three deaths in a row without a step the run is given up; the faults of its kind
that are left strike a further run, begun afresh. FOLDER/stock.json holds the figures; a table is printed.

- steps lost: last finished step before the fault, less the step that training went on from.
- seconds: from the fault to the first save beyond the newest save before it. A fault without such a save is
  unrecovered: the slowest in the percentiles (nearest rank), which are null where they fall on one.
- asked again: judge calls up to that save whose request body an earlier process of the run had sent.
  replayed calls: those for a step that an earlier process had begun to grade, of whatever body.
- zeroed: rewards set to 0 after an exception, over whole runs.
- effective share: seconds of the steps that the final weights (of a run that was given up: its newest save)
  rest on, over the wall time of the kind's runs.
- equal to undisturbed: all runs of the kind completed, with the reference's weights file, byte for byte.
- in save: faults that found a checkpoint half-written.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from stock_proxy import Proxy
from stock_run import Record, Run, Setting
from stock_trl import ROOT, add_training_arguments

KINDS = ("trainer-kill", "kill-in-save", "damaged-checkpoint", "sigterm", "judge-outage")
DAMAGES = [(how, what) for how in ("truncate", "flip") for what in ("weights", "optimizer")]
OUTAGE_S = (2.0, 6.0)


def plan(kind: str, arguments: argparse.Namespace) -> list[Record]:
    """Draw the faults of a kind: one in each of `count` equal stretches of the steps, at a random moment."""
    rng = random.Random(f"{arguments.seed}:{kind}")
    # There is nothing to damage before the first save.
    first = arguments.save_every if kind == "damaged-checkpoint" else 1
    stretch = (arguments.steps - first) / arguments.count
    damages = rng.sample(DAMAGES, len(DAMAGES))
    faults: list[Record] = []
    for number in range(arguments.count):
        fault: Record = {
            "at_step": int(first + (number + rng.random()) * stretch),
            # Where in a step, or in a save.
            "moment": rng.random(),
        }
        if kind == "damaged-checkpoint":
            fault |= {"damage": damages[number % len(damages)], "place": rng.random()}
        if kind == "judge-outage":
            fault["outage_s"] = rng.uniform(*OUTAGE_S)
        faults.append(fault)
    return faults


def strike_all(kind: str, setting: Setting, arguments: argparse.Namespace) -> list[Run]:
    """Train until all faults of a kind have struck, or a run ended without one that did."""
    left = plan(kind, arguments)
    runs: list[Run] = []
    while left:
        run = Run(f"{kind}-{len(runs) + 1}", kind, left, setting).train()
        runs.append(run)
        _say(run)
        if not run.faults:
            break
        left = run.plan
    return runs


def row_of(kind: str, runs: Sequence[Run], reference: Run) -> Record:
    """Return a kind's line of the table."""
    faults = [fault for run in runs for fault in run.faults]
    lost = [fault["steps_lost"] for fault in faults if fault["steps_lost"] is not None]
    seconds = [math.inf if fault["seconds"] is None else fault["seconds"] for fault in faults]
    return {
        "kind": kind,
        "count": len(faults),
        "completed": all(run.completed for run in runs),
        "runs": len(runs),
        "runs_completed": sum(run.completed for run in runs),
        "unrecovered": seconds.count(math.inf),
        "in_save": sum(fault["in_save"] for fault in faults),
        "steps_lost_max": max(lost, default=None),
        "asked_again": sum(fault["asked_again"] for fault in faults),
        "replayed_calls": sum(fault["replayed_calls"] for fault in faults),
        "seconds_p50": percentile(seconds, 0.5),
        "seconds_p95": percentile(seconds, 0.95),
        "effective_share": sum(run.effective_s for run in runs) / sum(run.wall_s for run in runs),
        "equal_to_undisturbed": all(run.completed and run.sha256 == reference.sha256 for run in runs),
        "zeroed": sum(sum(run.zeroed.values()) for run in runs),
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile; None without values, or where it is infinite."""
    if not values:
        return None
    value = sorted(values)[math.ceil(share * len(values)) - 1]
    return value if math.isfinite(value) else None


def run_record(run: Run) -> Record:
    """Return what is kept of a run."""
    hidden = ("life", "events", "time")
    return {
        "name": run.name,
        "kind": run.kind,
        "completed": run.completed,
        "wall_s": run.wall_s,
        "effective_share": run.effective_s / run.wall_s,
        "sha256": run.sha256,
        "zeroed": dict(run.zeroed),
        "judge_calls": len(run.of("judge_call")),
        "deaths": run.deaths,
        "faults": [{name: fault[name] for name in fault if name not in hidden} for fault in run.faults],
    }


def table(rows: Sequence[Record]) -> str:
    """Return the rows as text, in columns."""

    def cell(value: object, count: int) -> str:
        if isinstance(value, bool):
            return "yes" if value else "NO"
        if value is None:
            return "never" if count else "-"
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    lines = [list(rows[0]), *([cell(value, row["count"]) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines
    )


def main(arguments: argparse.Namespace) -> None:
    """Run the campaign and write its figures."""
    judge = urlsplit(arguments.judge_url)
    if judge.scheme != "http" or not judge.hostname:
        sys.exit(f"Expected an http:// URL, which the outage's proxy can pass on, got {arguments.judge_url}")
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        sys.exit(f"Expected an empty folder, found files in {arguments.out}")
    temporary = out / "tmp"
    temporary.mkdir()
    proxy = Proxy(judge.hostname, judge.port or 80)
    try:
        setting = Setting(
            out=out,
            steps=arguments.steps,
            trainer=trainer_command(arguments, proxy.url + judge.path.removesuffix("/")),
            environment=environment(temporary),
            proxy=proxy,
        )
        reference, repeat = (Run(name, "none", [], setting) for name in ("undisturbed-1", "undisturbed-2"))
        _say(reference.train())
        if not reference.completed:
            sys.exit(f"The undisturbed run did not complete: {reference.deaths}")
        setting.save_s = reference.save_s
        _say(repeat.train())
        runs = {kind: strike_all(kind, setting, arguments) for kind in arguments.kinds}
    finally:
        proxy.down()
        shutil.rmtree(temporary, ignore_errors=True)
    rows = [row_of("none", [repeat], reference), *(row_of(kind, runs[kind], reference) for kind in runs)]
    hidden = ("judge_url", "out", "rubric", "model")
    report = {
        "settings": {name: value for name, value in vars(arguments).items() if name not in hidden},
        "versions": {name: version(name) for name in ("trl", "transformers", "torch", "peft", "openai")},
        "step_seconds": reference.typical("step"),
        "save_seconds": setting.save_s,
        "rows": rows,
        "runs": [
            run_record(run) for run in [reference, repeat, *(one for kind in runs for one in runs[kind])]
        ],
    }
    (out / "stock.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def trainer_command(arguments: argparse.Namespace, judge_url: str) -> list[str]:
    """Return the trainer's command line, without where it writes: this program's own arguments, passed on."""
    known = argparse.ArgumentParser()
    add_training_arguments(known)
    names = vars(known.parse_args(["--judge-url", "", "--judge-model", ""]))
    given = vars(arguments) | {"judge_url": judge_url}
    words = [(f"--{name.replace('_', '-')}", str(given[name])) for name in names]
    script = Path(__file__).with_name("stock_trl.py")
    return [sys.executable, str(script), *(word for pair in words for word in pair)]


def environment(temporary: Path) -> dict[str, str]:
    """Return the trainer's environment: one thread, nothing fetched, temporary files that are cleared."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT / "python"),
        "TMPDIR": str(temporary),
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "127.0.0.1",
        "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none"),
    }


def _say(run: Run) -> None:
    ended = "completed" if run.completed else "did not complete"
    struck = f"{len(run.faults)} faults, {len(run.deaths)} deaths"
    print(f"{run.name}: {ended} in {run.wall_s:.1f} s; {struck}", file=sys.stderr, flush=True)


def _kinds(text: str) -> list[str]:
    kinds = text.split(",")
    if unknown := set(kinds) - set(KINDS):
        raise argparse.ArgumentTypeError(f"expected kinds among {', '.join(KINDS)}, got {', '.join(unknown)}")
    return kinds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stock TRL under faults.")
    add_training_arguments(parser)
    parser.add_argument("--kinds", type=_kinds, default=list(KINDS), help=",".join(KINDS))
    parser.add_argument("--count", type=int, default=3, help="faults of each kind")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(1))
    main(parser.parse_args())
