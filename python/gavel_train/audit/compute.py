"""From rows and verdicts to an Audit: fidelity to the judge and truth, answered apart.

The gateway made the numbers: agreement of scores is computed from `score`, distances from `value`, and a
verdict says "right" where its `p_pass` is above one half. Nothing is rounded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gavel_train.audit import gates, intervals, metrics
from gavel_train.audit.metrics import SCORES, Bools, Floats, Ints, Rates, Statistic
from gavel_train.contracts import Audit, AuditRow, GateSpec, GradingPass, Measure, VerdictRow
from gavel_train.run.directory import now

# Where a verdict is as likely to pass as not, it does not say "right".
HALF = 0.5

Verdicts = Mapping[str, VerdictRow]


@dataclass(frozen=True)
class EvalRow:
    """One held-out completion of the policy: whether the verifier takes it."""

    prompt_id: str
    checkpoint: str
    verifier: float


@dataclass(frozen=True)
class Inputs:
    """Everything that an audit is computed from; verdicts are keyed by (role, mode), then by row id."""

    run: str
    rows: Sequence[AuditRow]
    truths: Mapping[str, bool]
    verdicts: Mapping[tuple[str, str], Verdicts]
    headline_mode: str
    judge_mode: str | None
    threshold: int
    samples: int
    confidence: float
    seed: int
    gates: Sequence[GateSpec] = ()
    excluded_rows: int = 0
    reference_guided: bool = False
    passes: Sequence[GradingPass] = ()
    eval_rows: Sequence[EvalRow] = field(default_factory=list)

    def measure(self, statistic: Statistic) -> Measure:
        """Point, interval and n of a statistic, with the settings of this audit."""
        return intervals.measure(statistic, samples=self.samples, confidence=self.confidence, seed=self.seed)

    def scored(self, role: str, mode: str | None) -> Verdicts | None:
        """Verdicts by row id of the rows that a role scored; None: it was not asked."""
        verdicts = self.verdicts.get((role, mode or ""))
        if verdicts is None:
            return None
        known = {row.id: verdicts[row.id] for row in self.rows if row.id in verdicts}
        return {row_id: verdict for row_id, verdict in known.items() if verdict.verdict == "scored"}


def compute_audit(inputs: Inputs) -> Audit:
    """Every measure of the contract, then the gates on them."""
    judge = inputs.scored("judge", inputs.judge_mode)
    grader = inputs.scored("grader", inputs.headline_mode)
    if grader is None:
        raise ValueError(f"Expected verdicts of the grader in mode {inputs.headline_mode}, found none.")
    base = inputs.scored("base", inputs.headline_mode)
    audit: dict[str, Any] = {
        "version": 1,
        "run": inputs.run,
        "created_at": now(),
        "rows": len(inputs.rows),
        "prompts": len({row.prompt_id for row in inputs.rows}),
        "excluded_rows": inputs.excluded_rows,
        "headline_mode": inputs.headline_mode,
        "reference_guided": inputs.reference_guided,
        "threshold": inputs.threshold,
        "confidence": inputs.confidence,
        "bootstrap_samples": inputs.samples,
        "interval_method": intervals.METHOD,
        "fidelity": _headline_fidelity(inputs, judge, grader),
        "fidelity_by_mode": _fidelity_by_mode(inputs, judge),
        "base_fidelity": _fidelity(inputs, judge, base),
        "truth": _truth(inputs, judge, grader, base),
        "teacher_wrong": _teacher_wrong(inputs, judge, grader),
        "coverage": _coverage(inputs),
        "judge_scores": np.bincount(
            _scores(_rows(inputs, judge), judge) if judge else [], minlength=SCORES
        ).tolist(),
        "passes": [grading.model_dump() for grading in inputs.passes],
        "speed": _speed(inputs),
        "policy": _policy(inputs),
    }
    settled = gates.judge_gates(audit, inputs.gates)
    audit["gates"] = [gate.model_dump() for gate in settled]
    audit["verdict"] = gates.overall(settled)
    return Audit.model_validate(audit)


def _rows(inputs: Inputs, *needed: Mapping[str, Any]) -> list[AuditRow]:
    return [row for row in inputs.rows if all(row.id in known for known in needed)]


def _scores(rows: Sequence[AuditRow], verdicts: Verdicts) -> Ints:
    return np.array([verdicts[row.id].score for row in rows], dtype=np.int64)


def _score_counts(inputs: Inputs, verdicts: Verdicts) -> list[int]:
    return np.bincount(_scores(_rows(inputs, verdicts), verdicts), minlength=SCORES).tolist()


def _values(rows: Sequence[AuditRow], verdicts: Verdicts) -> Floats:
    return np.array([verdicts[row.id].value for row in rows], dtype=np.float64)


def _says_right(rows: Sequence[AuditRow], verdicts: Verdicts) -> Bools:
    return np.array([verdicts[row.id].p_pass for row in rows], dtype=np.float64) > HALF


def _prompts(rows: Sequence[AuditRow]) -> list[str]:
    return [row.prompt_id for row in rows]


def _headline_fidelity(inputs: Inputs, judge: Verdicts | None, grader: Verdicts) -> dict[str, Any] | None:
    found = _fidelity(inputs, judge, grader)
    if judge is None or found is None:
        return None
    rows = _rows(inputs, judge, grader)
    cells = np.zeros((SCORES, SCORES), dtype=int)
    np.add.at(cells, (_scores(rows, judge), _scores(rows, grader)), 1)
    return found | {"confusion": cells.tolist()}


def _fidelity(inputs: Inputs, judge: Verdicts | None, other: Verdicts | None) -> dict[str, Any] | None:
    if judge is None or other is None:
        return None
    rows = _rows(inputs, judge, other)
    judge_N, other_N, prompts = _scores(rows, judge), _scores(rows, other), _prompts(rows)
    kappa = metrics.quadratic_weighted_kappa(prompts, judge_N, other_N)
    error_N = _values(rows, other) - _values(rows, judge)
    return {
        "quadratic_weighted_kappa": inputs.measure(kappa).model_dump(),
        "exact": inputs.measure(metrics.share(prompts, judge_N == other_N)).model_dump(),
        "within_1": inputs.measure(metrics.share(prompts, abs(judge_N - other_N) <= 1)).model_dump(),
        "mean_absolute_error": inputs.measure(metrics.mean(prompts, abs(error_N))).model_dump(),
        "bias": inputs.measure(metrics.mean(prompts, error_N)).model_dump(),
    }


def _fidelity_by_mode(inputs: Inputs, judge: Verdicts | None) -> dict[str, Any]:
    modes = [mode for role, mode in inputs.verdicts if role == "grader"]
    found = {mode: _fidelity(inputs, judge, inputs.scored("grader", mode)) for mode in modes}
    return {mode: fidelity for mode, fidelity in found.items() if fidelity is not None}


def _truth(
    inputs: Inputs,
    judge: Verdicts | None,
    grader: Verdicts,
    base: Verdicts | None,
) -> dict[str, Any] | None:
    if not inputs.truths:
        return None
    known = _rows(inputs, inputs.truths)
    right = sum(inputs.truths[row.id] for row in known)
    return {
        "n_right": right,
        "n_wrong": len(known) - right,
        "judge": _truth_of(inputs, judge),
        "grader": _truth_of(inputs, grader),
        "base": _truth_of(inputs, base),
        "grader_minus_judge": _grader_minus_judge(inputs, judge, grader),
    }


def _truth_of(inputs: Inputs, scores: Verdicts | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    rows = _rows(inputs, inputs.truths, scores)
    found: Rates = metrics.rates(_prompts(rows), _right(inputs, rows), _says_right(rows, scores))
    return {name: inputs.measure(statistic).model_dump() for name, statistic in vars(found).items()}


def _right(inputs: Inputs, rows: Sequence[AuditRow]) -> list[bool]:
    return [inputs.truths[row.id] for row in rows]


def _grader_minus_judge(inputs: Inputs, judge: Verdicts | None, grader: Verdicts) -> dict[str, Any] | None:
    if judge is None:
        return None
    rows = _rows(inputs, inputs.truths, judge, grader)
    difference = metrics.balanced_accuracy_difference(
        _prompts(rows),
        _right(inputs, rows),
        _says_right(rows, grader),
        _says_right(rows, judge),
    )
    return {"balanced_accuracy": inputs.measure(difference).model_dump()}


def _teacher_wrong(inputs: Inputs, judge: Verdicts | None, grader: Verdicts) -> dict[str, Any] | None:
    if judge is None or not inputs.truths:
        return None
    rows = _rows(inputs, inputs.truths, judge, grader)
    right_N = np.array(_right(inputs, rows), dtype=bool)
    judge_ok_N = _says_right(rows, judge) == right_N
    grader_ok_N = _says_right(rows, grader) == right_N
    follows = metrics.share(_prompts(rows), grader_ok_N, among=~judge_ok_N)
    strays = metrics.share(_prompts(rows), ~grader_ok_N, among=judge_ok_N)
    return {
        "rows": int((~judge_ok_N).sum()),
        "grader_follows_truth": inputs.measure(follows).model_dump(),
        "grader_wrong_given_judge_right": inputs.measure(strays).model_dump(),
    }


def _coverage(inputs: Inputs) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {}
    rules: dict[str, dict[str, int]] = {}
    shares: dict[str, Any] = {"grader": None, "judge": None}
    modes = {"grader": inputs.headline_mode, "judge": inputs.judge_mode, "base": inputs.headline_mode}
    for role, mode in modes.items():
        verdicts = inputs.verdicts.get((role, mode or ""))
        if verdicts is None:
            continue
        rows = _rows(inputs, verdicts)
        found = Counter(verdicts[row.id].verdict for row in rows)
        counts[role] = dict(found)
        rules[role] = dict(Counter(rule for row in rows if (rule := verdicts[row.id].value_rule)))
        if role in shares:
            scored = [verdicts[row.id].verdict == "scored" for row in rows]
            shares[role] = inputs.measure(metrics.share(_prompts(rows), scored)).model_dump()
    return shares | {"counts": counts, "value_rules": rules}


def _speed(inputs: Inputs) -> dict[str, float | None]:
    """Ratios of verdicts per second; a pass that was answered from the ledger has no speed."""
    rates = {(grading.role, grading.mode): grading.verdicts_per_s for grading in inputs.passes}

    def ratio(one: float | None, other: float | None) -> float | None:
        return one / other if one and other else None

    judge = rates.get(("judge", inputs.judge_mode)) if inputs.judge_mode else None
    return {
        "grader_over_judge": ratio(rates.get(("grader", inputs.headline_mode)), judge),
        "same_mode": ratio(rates.get(("grader", inputs.judge_mode)), judge) if inputs.judge_mode else None,
    }


def _policy(inputs: Inputs) -> dict[str, Any]:
    rows = [row for row in inputs.eval_rows if row.checkpoint in ("first", "last")]
    prompts = [row.prompt_id for row in rows]
    value_N = np.array([row.verifier for row in rows], dtype=np.float64)
    first_N = np.array([row.checkpoint == "first" for row in rows], dtype=bool)
    found: dict[str, Any] = {"first": None, "last": None, "gain": None}
    if first_N.any():
        found["first"] = inputs.measure(metrics.share(prompts, value_N >= 0.5, among=first_N)).model_dump()
    if (~first_N).any():
        found["last"] = inputs.measure(metrics.share(prompts, value_N >= 0.5, among=~first_N)).model_dump()
    if first_N.any() and (~first_N).any():
        gain = metrics.share_difference(prompts, value_N, ~first_N, first_N)
        found["gain"] = inputs.measure(gain).model_dump()
    return found
