"""One runner for every audit: rows, contestants and a plan in, an Audit out.

rows + contestants -> verdicts (files first, then endpoints) -> records, tables, findings -> gates -> Audit
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gavel_train.audit.asked import asked_digest
from gavel_train.audit.baselines import BASELINES, baselines_of
from gavel_train.audit.contestants import Answered, Source
from gavel_train.audit.gates import covers, judge_gates, overall
from gavel_train.audit.globs import HEADLINE
from gavel_train.audit.looks import Look, confidence_of_look, sketch, take_look
from gavel_train.audit.measure import parts
from gavel_train.audit.records import GRADER, JUDGE, findings_of, measured, policy_records, records_of
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import UNKNOWN, Answers, Ints, PolicySample, Rows
from gavel_train.audit.scope import Scope
from gavel_train.audit.slices import slices_of
from gavel_train.audit.tables import tables_of
from gavel_train.contracts import Audit, AuditContestants, AuditLook, GateSpec
from gavel_train.run import progress
from gavel_train.run.directory import now
from gavel_train.run.outcome import BadRequest

_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True)
class Plan:
    """What is audited, and how; `truth_N` holds indices into the labels of the rows.

    Without `headline_mode` the grader's first mode is the headline. `looks` is the file that counts looks.
    """

    run: str
    rows: AuditedRows
    truth_N: Ints
    sources: Sequence[Source]
    headline_mode: str | None
    threshold: int
    confidence: float
    slices: Sequence[str]
    gates: Sequence[GateSpec]
    looks: Path
    reference_guided: bool = False
    excluded_rows: int = 0
    policy: PolicySample | None = None
    policy_on: Mapping[str, PolicySample] = field(default_factory=dict)


def run_audit(plan: Plan) -> Audit:
    """Get all verdicts, then compute; raises BadRequest where the plan cannot be carried out.

    Killed and started again, it pays for no verdict that is in the ledger, and it is the same look.
    """
    headline = check_contestants(plan)
    # Files come first: a line that cannot be used must not be found after an endpoint was paid.
    in_order = sorted(plan.sources, key=lambda source: source.is_paid)
    answered = {id(source): source.answer(plan.rows, plan.threshold) for source in in_order}
    return compute(plan, [answered[id(source)] for source in plan.sources], headline)


def check_contestants(plan: Plan) -> str:
    """Return the headline mode; raises BadRequest where contestants do not fit together."""
    named = [(source.contestant.role, source.contestant.mode) for source in plan.sources]
    twice = next((one for one in named if named.count(one) > 1), None)
    if twice is not None:
        raise BadRequest(twice[0], f"Expected one contestant {twice[0]} in mode {twice[1]}, found several.")
    if sum(role == JUDGE for role, _ in named) > 1:
        raise BadRequest(JUDGE, "Expected one judge, found several: name the others as roles of their own.")
    for role, mode in named:
        if role in BASELINES or mode == HEADLINE:
            reserved = role if role in BASELINES else mode
            raise BadRequest(role, f"{role}: expected another name than {reserved}, which gavel uses itself.")
    modes = [mode for role, mode in named if role == GRADER]
    if not modes:
        raise BadRequest(
            GRADER, f"Expected a contestant {GRADER}, found {', '.join(role for role, _ in named)}."
        )
    headline = plan.headline_mode or modes[0]
    if headline not in modes:
        raise BadRequest(
            "headline_mode", f"Expected a mode of the grader ({', '.join(modes)}), found {headline}."
        )
    return headline


def compute(plan: Plan, answered: Sequence[Answered], headline_mode: str) -> Audit:
    """Return the audit of verdicts that are there; notes the look."""
    answers = [one.answers for one in answered]
    look = take_look(plan.looks, _look(plan, answers, headline_mode))
    confidence = confidence_of_look(plan.confidence, look)
    rows = Rows(plan.rows.prompt_N, plan.truth_N, plan.rows.labels)
    judge = next((one for one in answers if one.role == JUDGE), None)
    fields = slices_of(plan.rows, judge, plan.slices)
    records = records_of(
        rows,
        [*answers, *baselines_of(rows)],
        [one for field in fields for one in field.slices],
        confidence=confidence,
        on_progress=_ComputeProgress(),
    )
    if plan.policy is not None:
        records += policy_records(plan.policy, confidence)
    for label, sample in plan.policy_on.items():
        records += policy_records(sample, confidence, f"on_{label}")
    scope = Scope(
        headline_mode=headline_mode,
        rows=len(plan.rows),
        prompts=int(rows.prompt_N.max()) + 1,
        asked=[(one.role, one.mode) for one in answers],
        fields=fields,
        asked_confidence=plan.confidence,
        look=look,
    )
    gates = judge_gates(records, plan.gates, scope)
    return Audit(
        version=2,
        run=plan.run,
        created_at=now(),
        subject=plan.rows.subject,
        rows=scope.rows,
        prompts=scope.prompts,
        excluded_rows=plan.excluded_rows,
        truth_labels=_truth_labels(rows),
        headline_mode=headline_mode,
        reference_guided=plan.reference_guided,
        threshold=plan.threshold,
        confidence=confidence,
        look=AuditLook(number=look, data_digest=plan.rows.digest, asked_confidence=plan.confidence),
        contestants=[AuditContestants(**one.contestant.model_dump(), model=one.model) for one in answered],
        parts=[part.info() for part in parts()],
        measures=measured(records, _labels_that_occur(rows)),
        records=records,
        tables=tables_of(rows, answers),
        findings=findings_of(records, _labels_that_occur(rows)),
        slices=[field.info for field in fields],
        passes=[one.answers.grading for one in answered if one.answers.grading is not None],
        gates=gates,
        verdict=overall(gates),
        covers=covers(gates),
    )


def _look(plan: Plan, answers: Sequence[Answers], headline_mode: str) -> Look:
    asked = asked_digest(
        plan.rows,
        answers,
        headline_mode=headline_mode,
        gates=plan.gates,
        slices=plan.slices,
        confidence=plan.confidence,
        threshold=plan.threshold,
    )
    return Look(plan.rows.digest, asked, sketch(row.prompt_id for row in plan.rows.rows), plan.run)


class _ComputeProgress:
    """Reports how far the records are, at most once a second: a silent process counts as hung."""

    def __init__(self) -> None:
        self._said_at = 0.0
        progress.progress("compute", 0, 1)

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at >= _PROGRESS_EVERY_S or done == total:
            self._said_at = time.monotonic()
            progress.progress("compute", done, total)


def _labels_that_occur(rows: Rows) -> int:
    """How many labels a balanced guess is among: those of the truth, and at least two."""
    occur = len(np.unique(rows.truth_N[rows.truth_N != UNKNOWN]))
    return max(2, occur) if occur else len(rows.labels)


def _truth_labels(rows: Rows) -> dict[str, int]:
    if not (rows.truth_N != UNKNOWN).any():
        return {}
    return {label: int((rows.truth_N == code).sum()) for code, label in enumerate(rows.labels)}
