"""Stage `audit`: grades the audit rows with grader and base, computes, and writes `report/audit.json`.

grpo's rows and judge verdicts -> gateway (grader, base) -> measures, gates -> report/audit.json
"""

import json
from collections.abc import Sequence
from pathlib import Path

from gavel_train.audit.compute import EvalRow, Inputs, compute_audit
from gavel_train.audit.truth import truths
from gavel_train.contracts import (
    AuditRow,
    GradingPass,
    LedgerSegment,
    PromptRow,
    Rubric,
    StageRequest,
    VerdictRow,
)
from gavel_train.grader.counted import judge_traces
from gavel_train.grader.lessons import prompt_hash
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import Mode, Role, grade_rows
from gavel_train.run import progress
from gavel_train.run.directory import (
    publish_result,
    read_rows,
    run_dir_of,
    write_atomically,
)
from gavel_train.run.lifetime import rank
from gavel_train.run.outcome import BadRequest, run_stage
from gavel_train.run.public_name import give_public_name
from gavel_train.run.results import read_artifact, read_result
from gavel_train.tasks import verifier_of


def main(request: StageRequest, epoch_dir: Path) -> None:
    """Audit the grader of a run and publish the result."""
    if rank() != 0:
        return
    spec, run_dir = request.spec, run_dir_of(request)
    grpo = _grpo_artifacts(run_dir)
    rows = read_rows(grpo["audit_rows"], AuditRow)
    kept = without_training_prompts(run_dir, request.ledger, rows)
    if not kept:
        raise BadRequest(
            "task.audit_prompts",
            f"Expected audit rows on prompts outside of the training traces, found none among {len(rows)}.",
        )
    judge_mode = spec.judge.mode
    verdicts: dict[tuple[str, str], dict[str, VerdictRow]] = {}
    verdicts["judge", judge_mode] = read_verdicts(grpo["verdicts_judge"])
    passes = [GradingPass.model_validate_json(grpo["pass_judge"].read_bytes())]
    modes: list[Mode] = list(dict.fromkeys([spec.audit.headline_mode, *spec.audit.grader_modes]))
    asked: list[tuple[Role, Mode]] = [("grader", mode) for mode in modes]
    if spec.audit.base:
        asked.append(("base", spec.audit.headline_mode))
    client = GatewayClient.for_request(request)
    artifacts: dict[str, Path] = {}
    for role, mode in asked:
        graded = grade_rows(
            client,
            kept,
            role,
            mode,
            out=epoch_dir,
            run_dir=run_dir,
            segments=f"audit-e{request.epoch}-*.jsonl",
        )
        passes.append(graded)
        artifacts[f"verdicts_{role}_{mode}"] = epoch_dir / f"verdicts-{role}-{mode}.jsonl"
        verdicts[role, mode] = read_verdicts(artifacts[f"verdicts_{role}_{mode}"])
    client.close()

    progress.progress("compute", 0, 1)
    verify = verifier_of(spec.task)

    def is_right(completion: str, ground_truth: str) -> bool | None:
        row = PromptRow(id="", prompt="", ground_truth=ground_truth, meta={})
        value = verify(completion, row)
        return None if value is None else value >= 1.0

    rubric = _rubric(run_dir)
    audit = compute_audit(
        Inputs(
            run=request.run,
            rows=kept,
            truths=truths(kept, is_right),
            verdicts=verdicts,
            headline_mode=spec.audit.headline_mode,
            judge_mode=judge_mode,
            samples=spec.audit.bootstrap_samples,
            confidence=spec.audit.confidence,
            seed=spec.audit.seed,
            gates=spec.audit.gates,
            excluded_rows=len(rows) - len(kept),
            threshold=rubric.threshold,
            reference_guided=rubric.reference_guided,
            passes=passes,
            eval_rows=_eval_rows(grpo.get("eval_rows")),
        )
    )
    report = run_dir / "report"
    report.mkdir(exist_ok=True)
    write_atomically(epoch_dir / "audit.json", audit.model_dump_json(indent=2) + "\n")
    give_public_name(request, epoch_dir / "audit.json", report / "audit.json")
    measures = {
        "quadratic_weighted_kappa": audit.fidelity.quadratic_weighted_kappa.point if audit.fidelity else None,
        "quadratic_weighted_kappa_low": audit.fidelity.quadratic_weighted_kappa.low
        if audit.fidelity
        else None,
        "exact": audit.fidelity.exact.point if audit.fidelity else None,
        "balanced_accuracy": audit.truth.grader.balanced_accuracy.point if audit.truth else None,
        "policy_gain": audit.policy.gain.point if audit.policy.gain else None,
        "grader_over_judge": audit.speed.grader_over_judge,
        "passed": float(audit.verdict == "PASS"),
    }
    progress.progress("compute", 1, 1, measures)
    publish_result(
        request,
        step=0,
        checkpoint=None,
        metrics=progress.finite(measures),
        artifacts=artifacts | {"audit": report / "audit.json"},
    )


def _grpo_artifacts(run_dir: Path) -> dict[str, Path]:
    """Paths of what this stage uses of the result of stage grpo; raises BadRequest, ResultDamaged."""
    path = run_dir / "grpo" / "result.json"
    try:
        result = read_result(run_dir, "grpo")
    except FileNotFoundError:
        raise BadRequest(
            None, f"Expected the result of stage grpo at {path}, found none: run that stage first."
        ) from None
    needed = ("audit_rows", "verdicts_judge", "pass_judge")
    missing = [name for name in needed if name not in result.artifacts]
    if missing:
        raise BadRequest(None, f"{path}: expected the artifacts {', '.join(missing)}, found none.")
    used = [name for name in (*needed, "eval_rows") if name in result.artifacts]
    return {name: read_artifact(run_dir, result, name) for name in used}


def _rubric(run_dir: Path) -> Rubric:
    """The rubric of the run, as prepare wrote it."""
    return Rubric.model_validate_json((run_dir / "rubric.json").read_bytes())


def without_training_prompts(
    run_dir: Path, ledger: Sequence[LedgerSegment], rows: list[AuditRow]
) -> list[AuditRow]:
    """Rows whose prompt no training trace is about, case and white space evened out."""
    trained = {prompt_hash(trace.prompt) for trace in judge_traces(run_dir, ledger)}
    return [row for row in rows if prompt_hash(row.prompt) not in trained]


def read_verdicts(path: Path) -> dict[str, VerdictRow]:
    """Verdicts by row id."""
    return {verdict.row_id: verdict for verdict in read_rows(path, VerdictRow)}


def _eval_rows(path: Path | None) -> list[EvalRow]:
    if path is None:
        return []
    with path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines if line.strip()]
    return [
        EvalRow(row["prompt_id"], row["checkpoint"], row["verifier"])
        for row in found
        if row["verifier"] is not None
    ]


if __name__ == "__main__":
    run_stage("audit", main)
