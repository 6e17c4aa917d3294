"""`plan`: the model of a step's time (`gavel fit`) against steps of the trainer that it was not fitted to.

The rates of a core are fitted to the phases of some cases, written where `gavel fit` reads them, and used to
predict the steps of four others, of models and lengths that no fitted case has.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from figures.figure import Figure, Ratio
from figures.plan_cases import CHECKED, FITTED, Case, Measured, describe
from figures.plan_fit import fitted, predicted, shape_of_folder
from figures.plan_runs import make_model, run
from figures.plan_servers import serving
from gavel_train.fit.machines import MEASURED, Engines, processor
from gavel_train.fit.shape import Shape
from gavel_train.fit.step_time import StepTime

# For a look at whether the figure works: too few cases to hold the model to its target.
_QUICK = ("a-full", "c-full", "c-lora", "e-lora")
_WITHIN = 1.25
# Steps that are measured in a run, of which the median counts.
_STEPS = 3
_TRAINER_CORE, _SERVER_CORE = 0, -1


def measure(*, repeats: int, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Return a figure a checked case, and without a target one a fitted case.

    Cases take turns, `repeats` times. `quick` takes four cached cases, one step of each, and keeps no rates.
    """
    cases = [case for case in (*FITTED, *CHECKED) if not quick or case.name in _QUICK]
    with tempfile.TemporaryDirectory(prefix="gavel-plan-") as folder:
        root = Path(folder)
        models = {case.model: make_model(root / "-".join(map(str, case.model)), case.model) for case in cases}
        seen = _turns(cases, models, root, 1 if quick else repeats, 1 if quick else _STEPS, say)
        shapes = {sizes: shape_of_folder(model) for sizes, model in models.items()}
        engines = fitted(
            [(case, shapes[case.model], _middle(seen[case.name])) for case in cases if case in FITTED],
            "fitted by npm run bench -- --only plan",
        )
        if not quick:
            _keep(engines)
        say(f"rates: {engines}")
        figures = [_figure(case, shapes[case.model], seen[case.name], engines, quick=quick) for case in cases]
    for figure in figures:
        say(f"{figure.shape}: {figure.sides}, ratio {figure.ratio}")
    return figures


def _turns(
    cases: Sequence[Case],
    models: dict[tuple[int, ...], Path],
    root: Path,
    repeats: int,
    steps: int,
    say: Callable[[str], None],
) -> dict[str, list[Measured]]:
    """Measure `steps` steps of each case `repeats` times, in turn."""
    cores = sorted(os.sched_getaffinity(0))
    ranks: dict[Path, int] = {}
    for case in cases:
        if case.rollout == "served":
            ranks[models[case.model]] = max(case.rank or 0, ranks.get(models[case.model], 0))
    seen: dict[str, list[Measured]] = {case.name: [] for case in cases}
    with serving(ranks, root, core=cores[_SERVER_CORE]) if ranks else nullcontext({}) as endpoints:
        for repeat in range(repeats):
            for number, case in enumerate(cases, start=1 + repeat * len(cases)):
                at = [endpoints[models[case.model]]] if case.rollout == "served" else []
                one = run(
                    # An adapter's name has its epoch, and two runs must not share one on their server.
                    case,
                    root,
                    steps=steps,
                    epoch=number,
                    endpoints=at,
                    core=cores[_TRAINER_CORE],
                )
                say(f"{case.name}, repeat {repeat + 1}: {one}")
                seen[case.name].append(one)
    return seen


def _middle(seen: Sequence[Measured]) -> Measured:
    """Return the medians of repeats, phase by phase."""
    names = asdict(seen[0])
    return Measured(**{name: statistics.median(asdict(one)[name] for one in seen) for name in names})


def _figure(case: Case, shape: Shape, seen: Sequence[Measured], engines: Engines, *, quick: bool) -> Figure:
    """Hold a case's prediction against its repeats; the completions' lengths are as measured."""
    ratios = [predicted(case, shape, one.tokens, engines).step_s / one.step_s for one in seen]
    middle = _middle(seen)
    ratio = Ratio(*(round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))))
    checked = case in CHECKED
    target = _WITHIN if checked and not quick else None
    return Figure(
        id="plan",
        shape=f"{'checked' if checked else 'fitted'}: {describe(case)}",
        sides=_sides(predicted(case, shape, middle.tokens, engines), middle, case),
        ratio=ratio,
        target=target,
        met=None if target is None else 1 / target <= ratio.median <= target,
    )


def _sides(guess: StepTime, seen: Measured, case: Case) -> dict[str, float]:
    sides = {"step predicted s": guess.step_s, "step measured s": seen.step_s}
    if case.max_staleness == 0:
        # Ahead of the trainer the rollout's own time is not seen from its step.
        sides |= {"rollout predicted s": guess.rollout_s, "rollout measured s": seen.rollout_s}
        sides |= {"judge predicted s": guess.judge_s, "judge measured s": seen.judge_s}
    sides |= {"update predicted s": guess.update_s, "update measured s": seen.update_s}
    return {name: round(value, 3) for name, value in sides.items()}


def _keep(engines: Engines) -> None:
    """Write the rates for `gavel fit` on processors of this name."""
    rates = {
        "processor": processor(),
        "source": f"{engines.source}, torch {version('torch')}",
        "trainer": asdict(engines.trainer),
        "cached": asdict(engines.cached),
        "vllm": asdict(engines.vllm),
    }
    MEASURED.write_text(json.dumps(rates, indent=2) + "\n")
