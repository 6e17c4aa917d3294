"""How many rows and prompts the gates of an audit need: `python -m gavel_train.audit.plan REQUEST.json`.

Prints an AuditPlan on standard output. Every gate by itself gets the wanted power: that all of them pass is
less likely, with independent gates by the product of their powers. Exits 2 with a sentence on standard error
where the request or its pilot cannot be read.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gavel_train.audit.gates import matches
from gavel_train.audit.globs import is_match
from gavel_train.audit.intervals import KAPPA, SHARE
from gavel_train.audit.measure import all_measures
from gavel_train.audit.needed import Aim
from gavel_train.audit.precision import Basis, Clusters, of_pilot, of_spread
from gavel_train.audit.spread import Scale
from gavel_train.contracts import Audit, AuditPlan, AuditPlanGate, AuditPlanRequest, GateSpec, MeasureRecord

# What the method of a record says of the scale of its interval; no other one is transformed.
_SCALES: dict[str, Scale] = {
    "Korn-Graubard": "exact",
    "prompts as trials": "exact",
    f"{SHARE.transform}": "logit",
    f"{KAPPA.transform}": "fisher_z",
}


class BadPlan(ValueError):
    """A request that cannot be answered; the message says what to change."""


@dataclass(frozen=True)
class _Need:
    """What one record or measure needs; `prompts` is None where no number is enough."""

    expected: float
    prompts: int | None
    note: str


def plan(request: AuditPlanRequest, pilot: Audit | None) -> AuditPlan:
    """Rows and prompts of every gate, and of all; raises BadPlan where an expected value is missing."""
    unused = sorted(request.expect.keys() - {gate.id for gate in request.gates})
    if unused:
        raise BadPlan(
            f"expect: expected ids of gates, found {', '.join(unused)}. The gates are "
            f"{', '.join(gate.id for gate in request.gates)}."
        )
    gates = [_plan_gate(gate, request, pilot) for gate in request.gates]
    prompts = [gate.prompts for gate in gates if gate.prompts is not None]
    is_known = len(prompts) == len(gates)
    return AuditPlan(
        gates=gates,
        rows=_rows(max(prompts), request) if is_known else None,
        prompts=max(prompts) if is_known else None,
    )


def _plan_gate(gate: GateSpec, request: AuditPlanRequest, pilot: Audit | None) -> AuditPlanGate:
    needs = list(_needs_of_pilot(gate, request, pilot) if pilot else _needs_of_measures(gate, request))
    # The hardest match decides: every match of a gate must pass.
    need = max(needs, key=lambda one: math.inf if one.prompts is None else one.prompts)
    return AuditPlanGate(
        **gate.model_dump(),
        expected=need.expected,
        rows=None if need.prompts is None else _rows(need.prompts, request),
        prompts=need.prompts,
        note=need.note,
    )


def _rows(prompts: int, request: AuditPlanRequest) -> int:
    return math.ceil(prompts * request.rows_per_prompt)


def _clusters(request: AuditPlanRequest) -> Clusters:
    return Clusters(request.rows_per_prompt, request.correlation)


def _needs_of_measures(gate: GateSpec, request: AuditPlanRequest) -> Iterable[_Need]:
    if gate.id not in request.expect:
        raise BadPlan(
            f"{gate.id}: expected a value (--expect {gate.id}=VALUE) or a pilot (--pilot), found neither."
        )
    expected = request.expect[gate.id]
    fitting = [one for one in all_measures() if _is_of(gate.id, one.part, one.name)]
    if not fitting:
        raise BadPlan(
            f"{gate.id}: expected part.role.mode.measure, found no such measure. docs/audit.md lists them."
        )
    for measure in fitting:
        if measure.spread is None:
            note = (
                f"How much {measure.label} varies is not known beforehand: give a pilot (--pilot audit.json)."
            )
            yield _Need(expected, None, note)
        else:
            basis = of_spread(measure.spread, expected, _clusters(request), request.power)
            yield _need(gate, expected, basis, request)


def _needs_of_pilot(gate: GateSpec, request: AuditPlanRequest, pilot: Audit) -> Iterable[_Need]:
    found = [record for record in pilot.records if matches(record, gate, pilot.headline_mode)]
    if not found:
        raise BadPlan(f"{gate.id} on {gate.slice}: expected a record of it in the pilot, found none.")
    for record in found:
        expected = request.expect.get(gate.id, record.point)
        if expected is None:
            raise BadPlan(
                f"{gate.id}: {record.id} has no value in the pilot: expected one (--expect {gate.id}=VALUE)."
            )
        basis = of_pilot(record, pilot, _scale_of(record), _clusters(request), request.power)
        if basis is None:
            note = f"{record.id} has no interval in the pilot ({record.method}): give another."
            yield _Need(expected, None, note)
        else:
            yield _need(gate, expected, basis, request)


def _need(gate: GateSpec, expected: float, basis: Basis, request: AuditPlanRequest) -> _Need:
    is_upper = gate.at_least is None
    bound = gate.at_most if gate.at_least is None else gate.at_least
    assert bound is not None, "a gate has one of both bounds"
    aim = Aim(bound, expected, is_upper, request.power, request.confidence)
    if not aim.is_on_the_right_side:
        side = "below" if is_upper else "above"
        note = f"It cannot be passed by any number of rows: {expected:g} is not {side} {bound:g}."
        return _Need(expected, None, note)
    prompts = basis.precision.prompts(aim)
    if prompts is None:
        note = f"{expected:g} is too near {bound:g}: no audit that can be paid tells them apart."
        return _Need(expected, None, note)
    return _Need(expected, max(prompts, basis.fewest_prompts), basis.note)


def _scale_of(record: MeasureRecord) -> Scale:
    """The scale that its measure's module names, or else the one that its method does."""
    part, _, _, name = record.id.split(".")
    for measure in all_measures():
        if (measure.part, measure.name) == (part, name) and measure.spread is not None:
            return measure.spread.scale
    for said, scale in _SCALES.items():
        if said in record.method:
            return scale
    return "plain"


def _is_of(pattern: str, part: str, name: str) -> bool:
    """Whether a gate with this id can be about a measure, whatever role and mode are."""
    pieces = pattern.split(".")
    if len(pieces) == 4:
        return is_match(pieces[0], part) and is_match(pieces[3], name)
    return is_match(pattern, f"{part}.grader.headline.{name}")


def main() -> None:
    """Answer the request whose path is the only argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m gavel_train.audit.plan REQUEST.json")
    try:
        request = AuditPlanRequest.model_validate_json(Path(sys.argv[1]).read_bytes())
        pilot = None if request.pilot is None else _read_pilot(Path(request.pilot))
        print(plan(request, pilot).model_dump_json(indent=2))
    except (BadPlan, OSError, ValidationError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _read_pilot(path: Path) -> Audit:
    try:
        return Audit.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BadPlan(
            f"{path}: expected the audit.json of an audit, found {place}: {first['msg']}."
        ) from error


if __name__ == "__main__":
    main()
