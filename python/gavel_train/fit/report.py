"""The estimate of a whole run: every process of every stage, and what to change where one does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from gavel_train.contracts import (
    FitMachine,
    FitNeed,
    FitProblem,
    FitReport,
    FitRequest,
    PromptRow,
    ServeSpec,
    Spec,
)
from gavel_train.fit.needs import served_need, sft_need, trainer_need, training_of
from gavel_train.fit.shape import Shape, UnknownShape, folder_of, shape_of
from gavel_train.fit.step_estimate import step_estimate
from gavel_train.fit.weigh import Verdict, gib, verdict_of, worst

# A chat template adds a role, its marks and perhaps a default system message.
_TEMPLATE_TOKENS = 32
# The prompt of a task whose data is not on this machine: grade-school problems have half as many.
_ASSUMED_PROMPT_TOKENS = 256
# The longest texts by their characters; the one with the most tokens is among them.
_MEASURED_PROMPTS = 64


def report_of(spec: Spec, request: FitRequest, prompts: list[PromptRow] | None) -> FitReport:
    """Estimate a run. What cannot be known is `unknown` in the report and raises nothing."""
    machine, models = request.machine, request.models
    hub_cache = Path(request.hub_cache)
    shapes: dict[str, Shape | UnknownShape] = {}
    for role, model in (("policy", models.policy), ("judge", models.judge), ("base", models.base)):
        if model is not None:
            shapes[role] = _try(lambda model=model: shape_of(model, hub_cache))
    prompt_tokens = longest_prompt(prompts, folder_of(models.policy, hub_cache) / "tokenizer.json")
    chosen: int | None = None
    needs: list[FitNeed] = []

    def add(stage: str, what: str, role: str, make: Callable[[Shape], FitNeed]) -> None:
        shape = shapes[role]
        needs.append(_unknown(stage, what, shape) if isinstance(shape, UnknownShape) else make(shape))

    def trainer(shape: Shape) -> FitNeed:
        nonlocal chosen
        need, chosen = trainer_need(spec, machine, shape, prompt_tokens)
        return need

    def server(role: str, stage: str, serve: ServeSpec, gpus: int) -> Callable[[Shape], FitNeed]:
        return lambda shape: served_need(role, stage, serve, shape, machine, gpus)

    placement = spec.placement
    if models.judge is not None:
        add("grpo", "judge", "judge", server("judge", "grpo", spec.judge.serve, placement.judge_gpus))
    if spec.grpo.rollout in ("served", "vllm_server"):
        serve = spec.policy.serve
        if serve.dtype == "auto":
            # As src/serving/served-model.ts serves it: in the precision that it is trained in.
            serve = serve.model_copy(update={"dtype": spec.grpo.dtype})
        add("grpo", "policy", "policy", server("policy", "grpo", serve, placement.rollout_gpus))
    add("grpo", "trainer", "policy", trainer)
    add("sft", "trainer", "base", lambda shape: sft_need(spec, machine, shape))
    # SFT merges the adapter, so that the grader has the sizes of its base.
    add("audit", "grader", "base", server("grader", "audit", spec.grader.serve, placement.grader_gpus))
    if spec.audit.base:
        add("audit", "base", "base", server("base", "audit", spec.base.serve, placement.grader_gpus))
    shared = in_main_memory(needs, machine)
    policy = shapes["policy"]
    training = None
    if not isinstance(policy, UnknownShape):
        training = training_of(spec, policy, prompt_tokens, chosen)
    return FitReport(
        machine=machine,
        prompt_tokens=prompt_tokens,
        micro_batch_size=chosen,
        verdict=worst([*(need.verdict for need in needs), *(verdict for verdict, _ in shared)]),
        needs=needs,
        problems=[
            *(problem_of(need, machine) for need in needs if need.verdict == "too_large"),
            *(problem for _, problem in shared if problem is not None),
        ],
        step_time=step_estimate(spec, request, training, shapes.get("judge")),
    )


def in_main_memory(needs: list[FitNeed], machine: FitMachine) -> list[tuple[Verdict, FitProblem | None]]:
    """Weigh what each stage has in main memory at once, where each of its processes alone would fit."""
    weighed: list[tuple[Verdict, FitProblem | None]] = []
    for stage in ("grpo", "sft", "audit"):
        mine = [need for need in needs if need.stage == stage and need.device == "cpu" and need.parts]
        if len(mine) < 2 or any(need.verdict == "too_large" for need in mine):
            continue
        total = sum(need.bytes * need.copies for need in mine)
        verdict = verdict_of(total, machine.memory_bytes)
        problem = None
        if verdict == "too_large":
            largest = max(mine, key=lambda need: need.bytes * need.copies)
            field = largest.changes[0].field if largest.changes else _field(largest)
            terms = " + ".join(f"{need.copies} x {need.what} {gib(need.bytes)}" for need in mine)
            said = f"stage {stage} has {terms} = {gib(total)} in main memory at once, and node {machine.node}"
            said = f"{said} has {gib(machine.memory_bytes)}. The largest is the {largest.what}"
            problem = FitProblem(field=field, message=said)
        weighed.append((verdict, problem))
    return weighed


def _try(make: Callable[[], Shape]) -> Shape | UnknownShape:
    try:
        return make()
    except UnknownShape as error:
        return error


def _unknown(stage: str, what: str, why: UnknownShape) -> FitNeed:
    return FitNeed(
        stage=stage,  # pyright: ignore[reportArgumentType]
        what=what,
        device="cpu",
        copies=1,
        moment="unknown",
        parts=[],
        bytes=0,
        available_bytes=None,
        verdict="unknown",
        changes=[],
        note=str(why),
    )


def problem_of(need: FitNeed, machine: FitMachine) -> FitProblem:
    """Say in one line what does not fit, with its sum, and which field to change."""
    parts = " + ".join(f"{part.name} {gib(part.bytes)}" for part in need.parts)
    what = f"{need.what} of stage {need.stage}" if need.what == "trainer" else f"the served {need.what}"
    place = "a GPU" if need.device == "gpu" else "main memory"
    several = f" each of {need.copies}" if need.copies > 1 else ""
    has = f"node {machine.node} has {gib(need.available_bytes or 0)} of {place} for it"
    said = f"{what} needs {gib(need.bytes)}{several} ({need.moment}: {parts}), and {has}"
    if need.note:
        said = f"{said}; {need.note}"
    if not need.changes:
        return FitProblem(field=_field(need), message=f"{said}. Take a smaller model or a larger machine")
    best = need.changes[0]
    outcome = "fits" if best.fits else "is not enough alone"
    return FitProblem(
        field=best.field,
        message=f"{said}. {best.field}: {best.value} needs {gib(best.bytes)}, which {outcome}",
    )


def _field(need: FitNeed) -> str:
    if need.what == "trainer":
        return "policy.model" if need.stage == "grpo" else "base.model"
    return "base.model" if need.what == "grader" else f"{need.what}.model"


def longest_prompt(prompts: list[PromptRow] | None, tokenizer: Path) -> int:
    """Return the tokens of the longest prompt with its template; assumed where there are no prompts."""
    if not prompts:
        return _ASSUMED_PROMPT_TOKENS
    texts = sorted((row.prompt for row in prompts), key=len)[-_MEASURED_PROMPTS:]
    if not tokenizer.is_file():
        # English text has about four characters a token; other text and code have fewer.
        return max(len(text) for text in texts) // 3 + _TEMPLATE_TOKENS
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(tokenizer))
    return max(len(reader.encode(text, add_special_tokens=False).ids) for text in texts) + _TEMPLATE_TOKENS


def read_report(run_dir: Path) -> FitReport | None:
    """Return the estimate that a run was prepared with; None where it has none."""
    path = run_dir / "fit.json"
    return FitReport.model_validate(json.loads(path.read_text())) if path.is_file() else None
