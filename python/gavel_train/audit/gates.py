"""Verdicts of gates: decided on the bound of an interval, never on the point."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal

from gavel_train.audit.baselines import BASELINES
from gavel_train.audit.globs import is_match, resolved_id
from gavel_train.audit.intervals import LEAST_PROMPTS
from gavel_train.audit.measure import all_measures
from gavel_train.audit.more_rows import bound_of, more_rows
from gavel_train.audit.records import GRADER
from gavel_train.audit.scope import Scope
from gavel_train.audit.slices import ALL
from gavel_train.audit.unmeasured import unmeasured
from gavel_train.contracts import GateMatch, GateResult, GateSpec, MeasureRecord

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]

# As many names as a sentence holds.
_FEW = 10
_NOT_OF_GRADER = "No gate is about the grader, so none clears it."


def judge_gates(
    records: Sequence[MeasureRecord], gates: Sequence[GateSpec], scope: Scope
) -> list[GateResult]:
    """Return each gate with the records that it matches, its verdict, and why."""
    found = [_judge(records, gate, scope) for gate in gates]
    if _together([gate.verdict for gate in found]) != "PASS" or covers(found):
        return found
    return [gate.model_copy(update={"reason": f"{gate.reason} {_NOT_OF_GRADER}"}) for gate in found]


def overall(gates: Sequence[GateResult]) -> Verdict:
    """FAIL if any gate fails, PASS if all pass and one of them is about the grader.

    An audit without gates, or with none about the grader, settles nothing about it.
    """
    verdict = _together([gate.verdict for gate in gates])
    return "INCONCLUSIVE" if verdict == "PASS" and not covers(gates) else verdict


def covers(gates: Sequence[GateResult]) -> list[str]:
    """Parts in which a cleared gate is about the grader, in the order of the gates."""
    cleared = [match.record for gate in gates if gate.verdict == "PASS" for match in gate.matches]
    return list(dict.fromkeys(record.id.split(".")[0] for record in cleared if _is_of_grader(record)))


def decide(record: MeasureRecord, gate: GateSpec, scope: Scope) -> GateMatch:
    """What a gate says of one record."""
    verdict, reason = _verdict(record, gate)
    more = more_rows(record, gate, scope) if verdict == "INCONCLUSIVE" else None
    if more is not None:
        reason += f" About {more} would settle it with 80% power if the point is true."
    return GateMatch(
        record=record, verdict=verdict, reason=reason, rows_needed=None if more is None else more.rows
    )


def matches(record: MeasureRecord, gate: GateSpec, headline_mode: str) -> bool:
    """Whether a gate is about a record."""
    glob = resolved_id(gate.id, headline_mode)
    if not is_match(glob, record.id) or not _is_slice(gate.slice, record.slice):
        return False
    # A baseline is there to be beaten: a gate is about it only if it says its name.
    role = record.id.split(".")[1]
    return role not in BASELINES or f".{role}." in glob


def _judge(records: Sequence[MeasureRecord], gate: GateSpec, scope: Scope) -> GateResult:
    glob = resolved_id(gate.id, scope.headline_mode)
    matched = [record for record in records if matches(record, gate, scope.headline_mode)]
    decided = [decide(record, gate, scope) for record in matched]
    verdict = _together([match.verdict for match in decided])
    if not decided:
        reason = _no_match(records, gate, glob)
        return GateResult(**gate.model_dump(), reason=reason, verdict=verdict, matches=[])
    reason = [_summary(decided, verdict), *unmeasured(matched, glob, gate.slice, scope)]
    if len(reason) > 1 and verdict == "PASS":
        verdict = "INCONCLUSIVE"
    return GateResult(**gate.model_dump(), reason=" ".join(reason), verdict=verdict, matches=decided)


def _is_slice(glob: str, name: str) -> bool:
    """Whether a glob is about a slice; a * stands for slices, and not for all rows together."""
    return is_match(glob, name) and (name != ALL or glob == ALL)


def _is_of_grader(record: MeasureRecord) -> bool:
    return record.id.split(".")[1] == GRADER


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts and set(verdicts) == {"PASS"} else "INCONCLUSIVE"


def _verdict(record: MeasureRecord, gate: GateSpec) -> tuple[Verdict, str]:
    at_least, bound = gate.at_least is not None, bound_of(gate)
    if record.point is None:
        return "INCONCLUSIVE", f"These rows do not define it: {record.method}."
    if record.low is None or record.high is None:
        return "INCONCLUSIVE", f"There is no interval: {record.method}."
    if record.prompts < LEAST_PROMPTS:
        return "INCONCLUSIVE", f"Expected {LEAST_PROMPTS} prompts or more, found {record.prompts}."
    good, bad = (record.low, record.high) if at_least else (record.high, record.low)
    names = ("low", "high") if at_least else ("high", "low")
    if (good >= bound) if at_least else (good <= bound):
        return "PASS", f"The {names[0]} bound {_number(good)} is at {_side(at_least)} {_number(bound)}."
    if (bad < bound) if at_least else (bad > bound):
        return "FAIL", f"The {names[1]} bound {_number(bad)} is {_beyond(at_least)} {_number(bound)}."
    return "INCONCLUSIVE", (
        f"The interval from {_number(record.low)} to {_number(record.high)} holds {_number(bound)}."
    )


def _side(at_least: bool) -> str:
    return "least" if at_least else "most"


def _beyond(at_least: bool) -> str:
    return "below" if at_least else "above"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _summary(matches: Sequence[GateMatch], verdict: Verdict) -> str:
    if len(matches) == 1:
        return matches[0].reason
    counts = [
        (kind, sum(match.verdict == kind for match in matches)) for kind in ("PASS", "FAIL", "INCONCLUSIVE")
    ]
    said = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    worst = next(match for match in matches if match.verdict == verdict)
    return f"{len(matches)} records: {said}. {worst.record.id} ({worst.record.slice}): {worst.reason}"


def _no_match(records: Sequence[MeasureRecord], gate: GateSpec, glob: str) -> str:
    ids = list(dict.fromkeys(record.id for record in records))
    named = [record_id for record_id in ids if is_match(glob, record_id)]
    if named:
        slices = list(dict.fromkeys(record.slice for record in records if record.id in named))
        return f"Expected a record of the slice {gate.slice}, found the slices {', '.join(slices[:_FEW])}."
    expected = f"Expected a record {glob}, found none"
    measure = glob.rpartition(".")[2]
    alike = [record_id for record_id in ids if is_match(measure, record_id.rpartition(".")[2])]
    if alike:
        return f"{expected}; of this measure there are {', '.join(alike[:_FEW])}."
    if any(is_match(measure, known.name) for known in all_measures()):
        return f"{expected}: nothing was given to measure it by, say a judge or ground truth."
    near = difflib.get_close_matches(glob, ids, n=1)
    return f"{expected}. Did you mean {near[0]}?" if near else f"{expected}: no measure has this name."
