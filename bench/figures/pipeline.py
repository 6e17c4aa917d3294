"""`pipeline`: seconds of the three stages by stock scripts (stock_pipeline/) and by gavel.

Both sides take the models, prompts and settings of one spec. A stage lasts from its start to its result, the
start and end of its vLLM included. On gavel's side the Temporal server and the worker are up before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from figures.figure import Figure, Ratio
from figures.gavel_up import Event, Up, seconds_of

STAGES = ("grpo", "sft", "audit")
_SPECS = {False: "poly-easy", True: "poly-easy-smoke"}
# Of the stock scripts' time.
_AT_MOST = 1.03
_INPUTS = ("spec.json", "rubric.json", "data/train.jsonl", "data/eval.jsonl", "data/audit.jsonl")

# The activity of each stage that its trainer runs in.
_TRAINING = ("trainGrpo", "trainSft", "auditGrader")

Row = dict[str, Any]


def measure(*, quick: bool, repeats: int, say: Callable[[str], None]) -> list[Figure]:
    """Return a figure per stage, of the three together, and of the whole run; quick measures once."""
    pairs: list[tuple[Row, Row]] = []
    with tempfile.TemporaryDirectory(prefix="gavel-pipeline-") as name, Up(Path(name) / "root") as up:
        for repeat in range(1 if quick else repeats):
            run = f"pipeline-{repeat}"
            gavel = _gavel(up, _SPECS[quick], run)
            say(f"gavel: {gavel['seconds']}, parts {gavel['parts']}")
            stock = _stock(up.root / "runs" / run, up.root, Path(name) / f"stock-{repeat}", gavel["steps"])
            say(f"stock: {stock['seconds']}, parts {stock['parts']}")
            pairs.append((stock, gavel))
    figures = [_figure(stage, f"{stage}: {_work(stage, *pairs[-1])}", pairs) for stage in STAGES]
    figures.append(_figure("stages", f"{_SPECS[quick]}, the three stages", pairs, target=_AT_MOST))
    figures.append(_figure("run", f"{_SPECS[quick]}, with prepare and report on gavel's side", pairs))
    return figures


def _figure(what: str, shape: str, pairs: list[tuple[Row, Row]], target: float | None = None) -> Figure:
    sides: dict[str, float] = {}
    for side, index in (("stock", 0), ("gavel", 1)):
        sides[f"{side}, s"] = round(statistics.median(pair[index]["seconds"][what] for pair in pairs), 1)
        for part in pairs[0][index]["parts"].get(what, {}):
            seconds = statistics.median(pair[index]["parts"][what][part] for pair in pairs)
            sides[f"{side} {part}"] = round(seconds, 1)
    ratios = [gavel["seconds"][what] / stock["seconds"][what] for stock, gavel in pairs]
    median = statistics.median(ratios)
    return Figure(
        id="pipeline",
        shape=shape,
        sides=sides,
        ratio=Ratio(*(round(value, 3) for value in (median, min(ratios), max(ratios)))),
        target=target,
        met=None if target is None else median <= target,
    )


def _work(stage: str, stock: Row, gavel: Row) -> str:
    """How much each side did in its last repeat, in words."""
    words = {name: f"{stock['work'][name]:,} and {gavel['work'][name]:,}" for name in stock["work"]}
    if stage == "grpo":
        return f"{words['completion tokens']} completion tokens, {words['grpo calls']} judge calls"
    if stage == "sft":
        return f"{words['sft steps']} steps, {words['sft examples']} examples"
    return f"{words['audit calls']} grading calls"


def _totals(stages: Mapping[str, float], run: float) -> dict[str, float]:
    return {**stages, "stages": sum(stages.values()), "run": run}


def _gavel(up: Up, spec: str, run: str) -> Row:
    up.gavel("run", f"examples/{spec}.yaml", "--run", run)
    up.temporal("workflow", "result", "--workflow-id", f"gavel/{run}")
    folder = up.root / "runs" / run
    lines = list(_rows(folder / "report/metrics.jsonl"))
    times = {
        stage: _stage_times(
            up.history(f"gavel/{run}/{stage}"),
            [seconds_of(line["at"]) for line in lines if line["stage"] == stage and line["step"] > 0],
        )
        for stage in STAGES
    }
    whole = up.history(f"gavel/{run}")
    results = {stage: json.loads((folder / stage / "result.json").read_text()) for stage in STAGES}
    rollouts = [
        row["completion"]
        for path in (folder / "grpo/checkpoints").glob("*/rollouts.jsonl")
        for row in _rows(path)
    ]
    return {
        "seconds": _totals(
            {stage: each["seconds"] for stage, each in times.items()}, whole[-1].at - whole[0].at
        ),
        "parts": {stage: each["parts"] for stage, each in times.items()},
        "steps": results["sft"]["step"],
        "work": {
            "completion tokens": _tokens(folder, up.root, rollouts),
            "grpo calls": _asked(folder, "grpo"),
            "sft steps": results["sft"]["step"],
            "sft examples": int(results["sft"]["metrics"]["examples"]),
            "audit calls": _asked(folder, "audit"),
        },
    }


def _stage_times(events: list[Event], steps: list[float]) -> Row:
    """Seconds of a stage's workflow and of its parts; `steps`: when each step was reported, if any was."""
    attempts = [one for one in events if one.activity in _TRAINING]
    began, ids = attempts[0], {one.id for one in attempts}
    ended = next(one for one in reversed(events) if one.completes in ids)
    marks = {"to the trainer": began.at}
    if steps:
        marks |= {"to step 1": steps[0], "to the last step": steps[-1]}
    marks |= {"to the trainer's end": ended.at, "to the end": events[-1].at}
    befores = [events[0].at, *marks.values()]
    return {
        "seconds": events[-1].at - events[0].at,
        "parts": {name: at - before for (name, at), before in zip(marks.items(), befores, strict=False)},
    }


def _asked(folder: Path, stage: str) -> int:
    """Count the calls of a stage that a model answered."""
    traces = (row for path in (folder / "traces").glob(f"{stage}-*.jsonl") for row in _rows(path))
    return sum(trace["reused_from"] is None for trace in traces)


def _stock(run: Path, root: Path, out: Path, steps: int) -> Row:
    inputs = out / "inputs"
    inputs.mkdir(parents=True)
    for name in _INPUTS:
        (inputs / Path(name).name).write_bytes((run / name).read_bytes())
    seconds: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = {}
    said: Row = {}
    for stage in STAGES:
        more = ["--steps", str(steps)] if stage == "sft" else []
        seconds[stage], lines = _script(stage, [str(inputs), str(root), str(out), *more])
        ends = [0.0, *(line["seconds"] for line in lines)]
        parts[stage] = {
            line["part"]: line["seconds"] - before for line, before in zip(lines, ends, strict=False)
        }
        said |= {f"{stage} {name}": value for line in lines for name, value in line.items()}
    completions = [row["completion"] for row in _rows(out / "judged.jsonl")]
    return {
        "seconds": _totals(seconds, sum(seconds.values())),
        "parts": parts,
        "work": {
            "completion tokens": _tokens(run, root, completions),
            "grpo calls": said["grpo calls"],
            "sft steps": steps,
            "sft examples": said["sft examples"],
            "audit calls": said["audit calls"],
        },
    }


def _script(stage: str, arguments: list[str]) -> tuple[float, list[Row]]:
    """Run a stage's script; return its seconds and the lines that it printed."""
    script = Path(__file__).with_name("stock_pipeline") / f"{stage}.py"
    # Without PYTHONPATH no module of gavel can be imported. One thread, as gavel gives its trainers on a CPU.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment["NO_PROXY"] = "127.0.0.1"
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, str(script), *arguments], env=environment, capture_output=True, text=True
    )
    seconds = time.monotonic() - began
    if ended.returncode:
        raise RuntimeError(f"{script.name} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    return seconds, [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"part"')]


def _rows(path: Path) -> Iterator[Row]:
    return (json.loads(line) for line in path.read_text().splitlines())


def _tokens(run: Path, root: Path, texts: list[str]) -> int:
    """Count the tokens of completions, their ends left out."""
    from transformers import AutoTokenizer

    policy = json.loads((run / "spec.json").read_text())["policy"]["model"]
    words = AutoTokenizer.from_pretrained(root / policy)
    return sum(len(words(text, add_special_tokens=False)["input_ids"]) for text in texts)
