"""Stage `audit`: grades the audit rows with grader and base, computes, and writes `report/audit.json`.

grpo's rows and judge verdicts -> gateway (grader, base) -> measures, gates -> report/audit.json
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gavel_train.audit.contestants import FromEndpoint, FromPass, Source
from gavel_train.audit.policy_rows import read_policy_sample
from gavel_train.audit.records import GRADER, JUDGE
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.runner import Plan, run_audit
from gavel_train.audit.sample import PolicySample
from gavel_train.audit.slices import ALL
from gavel_train.audit.truth import truth_of
from gavel_train.contracts import (
    Audit,
    AuditRow,
    Contestant,
    GradingPass,
    LedgerSegment,
    Rubric,
    StageRequest,
)
from gavel_train.grader.counted import judge_traces
from gavel_train.grader.lessons import prompt_hash
from gavel_train.judging.gateway import GatewayClient
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
from gavel_train.tasks.evaluate_on import EVAL_ROWS_ON


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
    audited, rubric = AuditedRows(kept), _rubric(run_dir)
    report = run_dir / "report"
    report.mkdir(exist_ok=True)
    client = GatewayClient.for_request(request)
    asked = [
        FromEndpoint(one, client, epoch_dir, run_dir, f"audit-e{request.epoch}-*.jsonl")
        for one in _asked(request)
    ]
    judge = Contestant(
        role=JUDGE, mode=spec.judge.mode, source="endpoint", gpus=spec.placement.judge_gpus or None
    )
    judged = FromPass(
        judge, grpo["verdicts_judge"], GradingPass.model_validate_json(grpo["pass_judge"].read_bytes())
    )
    sources: list[Source] = [judged, *asked]
    with contextlib.closing(client):
        audit = run_audit(
            Plan(
                run=request.run,
                rows=audited,
                # A row of stage grpo says whether it is right wherever the verifier could tell.
                truth_N=truth_of(audited),
                sources=sources,
                headline_mode=spec.audit.headline_mode,
                threshold=rubric.threshold,
                confidence=spec.audit.confidence,
                slices=spec.audit.slices,
                gates=spec.audit.gates,
                looks=report / "looks.jsonl",
                reference_guided=rubric.reference_guided,
                excluded_rows=len(rows) - len(kept),
                policy=read_policy_sample(grpo["eval_rows"]) if "eval_rows" in grpo else None,
                policy_on=_further_samples(grpo),
            )
        )
    write_atomically(epoch_dir / "audit.json", audit.model_dump_json(indent=2) + "\n")
    give_public_name(request, epoch_dir / "audit.json", report / "audit.json")
    metrics = headline_metrics(audit)
    progress.progress("compute", 1, 1, metrics)
    verdicts = {f"verdicts_{one.contestant.role}_{one.contestant.mode}": one.verdicts for one in asked}
    publish_result(
        request,
        step=0,
        checkpoint=None,
        metrics=progress.finite(metrics),
        artifacts=verdicts | {"audit": report / "audit.json"},
    )


def headline_metrics(audit: Audit) -> dict[str, float | None]:
    """Return the figures that the stage's status shows."""
    over_all_rows = {record.id: record for record in audit.records if record.slice == ALL}

    def figure(record_id: str, what: str = "point") -> float | None:
        record = over_all_rows.get(record_id)
        return None if record is None else getattr(record, what)

    grader = f"{GRADER}.{audit.headline_mode}"
    # Pairs have no scores.
    kappa = "label_cohens_kappa" if audit.subject == "pairwise" else "quadratic_weighted_kappa"
    return {
        kappa: figure(f"fidelity.{grader}.{kappa}"),
        f"{kappa}_low": figure(f"fidelity.{grader}.{kappa}", "low"),
        "exact": figure(f"fidelity.{grader}.exact"),
        "balanced_accuracy": figure(f"truth.{grader}.balanced_accuracy"),
        "policy_gain": figure("policy.policy.held_out.gain"),
        "grader_over_judge": figure(f"speed.{grader}.over_judge"),
        "passed": float(audit.verdict == "PASS"),
    }


def _asked(request: StageRequest) -> list[Contestant]:
    """Those whom the gateway of this stage asks: the grader in each mode, headline first, and the base."""
    audit, gpus = request.spec.audit, request.spec.placement.grader_gpus or None
    modes = list(dict.fromkeys([audit.headline_mode, *audit.grader_modes]))
    asked = [(GRADER, mode) for mode in modes] + ([("base", audit.headline_mode)] if audit.base else [])
    return [Contestant(role=role, mode=mode, source="endpoint", gpus=gpus) for role, mode in asked]


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
    used = [
        name for name in result.artifacts if name in (*needed, "eval_rows") or name.startswith(EVAL_ROWS_ON)
    ]
    return {name: read_artifact(run_dir, result, name) for name in used}


def _further_samples(grpo: Mapping[str, Path]) -> dict[str, PolicySample]:
    """What the policy answered to the problems of each task in task.evaluate_on, by label."""
    found = {
        name.removeprefix(EVAL_ROWS_ON): read_policy_sample(path)
        for name, path in grpo.items()
        if name.startswith(EVAL_ROWS_ON)
    }
    return {label: sample for label, sample in found.items() if sample is not None}


def _rubric(run_dir: Path) -> Rubric:
    """The rubric of the run, as prepare wrote it."""
    return Rubric.model_validate_json((run_dir / "rubric.json").read_bytes())


def without_training_prompts(
    run_dir: Path, ledger: Sequence[LedgerSegment], rows: list[AuditRow]
) -> list[AuditRow]:
    """Rows whose prompt no training trace is about, case and white space evened out."""
    trained = {prompt_hash(each.trace.prompt) for each in judge_traces(run_dir, ledger)}
    return [row for row in rows if prompt_hash(row.prompt) not in trained]


if __name__ == "__main__":
    run_stage("audit", main)
