"""Verdicts of gates: decided on the bound of an interval, never on the point."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Literal

from gavel_train.audit.baselines import BASELINES
from gavel_train.audit.measure import all_measures
from gavel_train.contracts import GateMatch, GateResult, GateSpec, MeasureRecord

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]

# In `.headline.` of a gate's id; stands for the headline mode of the audit.
HEADLINE = "headline"
# With fewer, an interval by prompts covers less often than it says.
LEAST_PROMPTS = 30
# As many names as a sentence holds.
_FEW = 10


def judge_gates(
    records: Sequence[MeasureRecord], gates: Sequence[GateSpec], headline_mode: str
) -> list[GateResult]:
    """Return each gate with the records that it matches, its verdict, and why."""
    return [_judge(records, gate, headline_mode) for gate in gates]


def overall(gates: Sequence[GateResult]) -> Verdict:
    """FAIL if any gate fails, PASS if all pass; an audit without gates settles nothing."""
    return _together([gate.verdict for gate in gates])


def covers(gates: Sequence[GateResult]) -> list[str]:
    """Parts that a cleared gate is about, in the order of the gates."""
    cleared = [match.record.id for gate in gates if gate.verdict == "PASS" for match in gate.matches]
    return list(dict.fromkeys(record_id.split(".")[0] for record_id in cleared))


def resolved_id(glob: str, headline_mode: str) -> str:
    """The id of a gate with the headline mode in place of `headline`."""
    return glob.replace(f".{HEADLINE}.", f".{headline_mode}.")


def is_match(glob: str, text: str) -> bool:
    """Whether a text matches a glob, in which * stands for any text and nothing else is special."""
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text, re.DOTALL) is not None


def decide(record: MeasureRecord, gate: GateSpec) -> GateMatch:
    """What a gate says of one record."""
    verdict, reason = _verdict(record, gate)
    needed = rows_needed(record, gate) if verdict == "INCONCLUSIVE" else None
    if needed is not None:
        reason += f" About {needed} more rows would settle it if the point is true."
    return GateMatch(record=record, verdict=verdict, reason=reason, rows_needed=needed)


def rows_needed(record: MeasureRecord, gate: GateSpec) -> int | None:
    """More rows that would settle an open gate if the point were true; None: no number can be given.

    The distance from point to bound shrinks with the square root of n.
    """
    point, low, high, bound = record.point, record.low, record.high, _bound(gate)
    if point is None or low is None or high is None or point == bound or not record.prompts:
        return None
    width = point - low if point > bound else high - point
    wanted = max(
        record.n * (width / (point - bound)) ** 2, record.n * LEAST_PROMPTS / record.prompts, record.n + 1
    )
    return math.ceil(wanted) - record.n


def _judge(records: Sequence[MeasureRecord], gate: GateSpec, headline_mode: str) -> GateResult:
    glob = resolved_id(gate.id, headline_mode)
    matches = [decide(record, gate) for record in records if _matches(record, glob, gate.slice)]
    verdict = _together([match.verdict for match in matches])
    reason = _no_match(records, gate, glob) if not matches else _summary(matches, verdict)
    return GateResult(**gate.model_dump(), reason=reason, verdict=verdict, matches=matches)


def _matches(record: MeasureRecord, glob: str, slice_glob: str) -> bool:
    if not is_match(glob, record.id) or not is_match(slice_glob, record.slice):
        return False
    # A baseline is there to be beaten: a gate is about it only if it says its name.
    role = record.id.split(".")[1]
    return role not in BASELINES or f".{role}." in glob


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts and set(verdicts) == {"PASS"} else "INCONCLUSIVE"


def _verdict(record: MeasureRecord, gate: GateSpec) -> tuple[Verdict, str]:
    at_least, bound = gate.at_least is not None, _bound(gate)
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


def _bound(gate: GateSpec) -> float:
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    if bound is None:
        raise ValueError(f"Expected at_least or at_most in gate {gate.id}, found neither.")
    return bound


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
