"""Plans of audits: the size that they give has about the power that was asked for."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from audit_power.audited import records
from audit_power.cases import BOUNDS, Bound, gate_of
from audit_power.cells import Cell
from audit_power.simulate import replicated

from gavel_train.audit import measure, spread
from gavel_train.audit import plan as plan_module
from gavel_train.audit.plan import BadPlan, main, plan
from gavel_train.audit.records import measured
from gavel_train.contracts import Audit, AuditPlanRequest, GateSpec, MeasureRecord

KAPPA, DIFFERENCE, SCORED = (
    next(bound for bound in BOUNDS if bound.name.startswith(name))
    for name in ("quadratic", "balanced accuracy difference", "scored")
)
FOLLOWS = next(bound for bound in BOUNDS if bound.name.startswith("follows"))
UNKNOWN = GateSpec(id="fidelity.grader.headline.qwk", at_least=0.6)


def request_of(*gates: GateSpec, expect: dict[str, float], **fields) -> AuditPlanRequest:
    return AuditPlanRequest(
        gates=list(gates),
        expect=expect,
        **({"rows_per_prompt": 2.5, "power": 0.8, "confidence": 0.95} | fields),
    )


def planned(bound: Bound, pilot: Audit | None = None, **fields) -> tuple[int, int]:
    request = request_of(bound.gate, expect={bound.gate.id: bound.value("above")}, **fields)
    answer = plan(request, pilot)
    assert answer.prompts is not None and answer.rows is not None
    return answer.prompts, answer.rows


def power_at(bound: Bound, size: tuple[int, int], replicates: int) -> float:
    cell = Cell(bound.name, bound.grader("above"), size, [bound.measure], [bound.gate])
    return replicated(cell, 0, replicates).share("PASS")


def pilot_of(bound: Bound, seed: int, prompts: int = 300, rows: int = 750) -> Audit:
    sample = bound.grader("above").sample(np.random.default_rng(seed), prompts, rows)
    found = [record for _, record in records(sample)]
    return Audit.model_construct(
        rows=rows,
        prompts=prompts,
        headline_mode="file",
        confidence=0.95,
        records=found,
        measures=measured(found, 2),
    )


@pytest.mark.parametrize("bound", [KAPPA, SCORED], ids=lambda bound: bound.name)
def test_without_a_pilot_the_planned_size_has_about_the_power(bound):
    assert 0.7 < power_at(bound, planned(bound), 250) < 0.92


def test_rows_of_their_own_prompts_are_planned_without_a_design_effect():
    size = planned(KAPPA, rows_per_prompt=1)

    assert size[0] == size[1]
    assert 0.7 < power_at(KAPPA, size, 250) < 0.92


@pytest.mark.parametrize("bound", [KAPPA, DIFFERENCE, FOLLOWS], ids=lambda bound: bound.name)
def test_with_pilots_the_planned_sizes_have_about_the_power(bound):
    powers = [power_at(bound, planned(bound, pilot_of(bound, seed)), 80) for seed in range(5)]

    assert 0.7 < np.mean(powers) < 0.92


def test_a_quarter_of_the_distance_takes_sixteen_times_the_prompts():
    def prompts(expected: float) -> int:
        gate = gate_of("teacher_wrong.balanced_accuracy_difference", -0.05)
        found = plan(request_of(gate, expect={gate.id: expected}), None).prompts
        assert found is not None
        return found

    assert prompts(-0.04) / prompts(-0.01) == pytest.approx(16, rel=0.03)


def test_the_largest_gate_decides_and_no_gate_has_fewer_than_30_prompts():
    easy = gate_of("fidelity.exact", 0.1)
    answer = plan(
        request_of(easy, SCORED.gate, expect={easy.id: 0.9, SCORED.gate.id: 0.999}, rows_per_prompt=4),
        None,
    )

    few, scored = answer.gates
    assert few.prompts == 30 and few.rows == 120
    assert scored.prompts is not None and scored.prompts > 30
    assert (answer.prompts, answer.rows) == (scored.prompts, scored.rows)


@pytest.mark.parametrize("expected", [0.6, 0.5])
def test_a_gate_cannot_be_passed_from_the_wrong_side_of_its_bound(expected):
    answer = plan(request_of(KAPPA.gate, expect={KAPPA.gate.id: expected}), None)

    (gate,) = answer.gates
    assert gate.rows is None and gate.prompts is None and answer.rows is None
    assert gate.note == f"It cannot be passed by any number of rows: {expected} is not above 0.6."


def test_a_measure_that_says_nothing_of_its_spread_asks_for_a_pilot():
    gate = gate_of("fidelity.bias", at_most=0.5)
    answer = plan(request_of(gate, expect={gate.id: 0.0}), None)

    assert answer.gates[0].rows is None
    assert "give a pilot" in (answer.gates[0].note or "")

    pilot = pilot_of(KAPPA, 1)
    assert plan(request_of(gate, expect={gate.id: 0.0}), pilot).gates[0].rows is not None


def test_a_pilot_gives_the_values_that_nobody_expects_and_says_what_it_found():
    pilot = pilot_of(KAPPA, 1)

    (gate,) = plan(request_of(KAPPA.gate, expect={}), pilot).gates

    point = next(record.point for record in pilot.records if record.id.endswith("weighted_kappa"))
    assert gate.expected == point
    assert (gate.note or "").startswith(
        "From the pilot, where fidelity.grader.file.quadratic_weighted_kappa is"
    )


def test_a_gate_with_a_star_needs_what_its_hardest_match_needs():
    gate = GateSpec(id="teacher_wrong.grader.headline.*_difference", at_least=-0.05)
    pilot = pilot_of(DIFFERENCE, 1)
    one = [
        plan(request_of(gate_of(f"teacher_wrong.{name}", -0.05), expect={}), pilot).prompts or 0
        for name in ("accuracy_difference", "balanced_accuracy_difference")
    ]

    assert plan(request_of(gate, expect={}), pilot).prompts == max(one)


@pytest.mark.parametrize(
    ("gate", "expect", "message"),
    [
        (
            KAPPA.gate,
            {},
            "expected a value (--expect fidelity.grader.headline.quadratic_weighted_kappa=VALUE)",
        ),
        (KAPPA.gate, {KAPPA.gate.id: 0.7, "x": 1.0}, "expect: expected ids of gates, found x."),
        (
            GateSpec(id="fidelity.grader.headline.qwk", at_least=0.6),
            {"fidelity.grader.headline.qwk": 0.7},
            "no such",
        ),
    ],
)
def test_a_request_that_cannot_be_answered_says_what_to_change(gate, expect, message):
    with pytest.raises(BadPlan) as raised:
        plan(request_of(gate, expect=expect), None)

    assert message in str(raised.value)


def test_a_star_in_a_gate_plans_for_no_baseline_of_the_pilot():
    gate = GateSpec(id="truth.*.accuracy", at_most=0.9)
    own = records_with("truth.grader.file.accuracy", 0.8)
    # Were it matched, the plan would say that the gate cannot be passed.
    always = records_with("truth.always_pass.constant.accuracy", 0.95)
    pilot = pilot_of(KAPPA, 1).model_copy(update={"records": [own, always]})
    assert plan(request_of(gate, expect={}), pilot).prompts is not None
    named = GateSpec(id="truth.always_pass.*.accuracy", at_most=0.9)
    assert plan(request_of(named, expect={}), pilot).prompts is None


def test_a_star_for_slices_plans_for_the_slices_of_the_pilot_and_not_for_all_rows():
    gate = GateSpec(id="truth.grader.file.accuracy", slice="*", at_least=0.7)
    whole = records_with("truth.grader.file.accuracy", 0.6)
    part = records_with("truth.grader.file.accuracy", 0.8, "kind=a")
    pilot = pilot_of(KAPPA, 1).model_copy(update={"records": [whole, part]})
    assert plan(request_of(gate, expect={}), pilot).prompts is not None


def records_with(record_id: str, point: float, slice_name: str = "all") -> MeasureRecord:
    return MeasureRecord(
        id=record_id,
        slice=slice_name,
        point=point,
        low=point - 0.03,
        high=point + 0.03,
        n=750,
        prompts=300,
        method="Korn-Graubard",
    )


def test_the_interval_of_a_pilot_is_read_on_the_scale_that_its_method_names():
    pilot = pilot_of(KAPPA, 1)
    scales = {record.id.split(".")[3]: plan_module._scale_of(record) for record in pilot.records}
    assert {name: scales[name] for name in ("accuracy", "accuracy_of_all_rows", "refused")} == {
        "accuracy": "exact",
        "accuracy_of_all_rows": "exact",
        "refused": "exact",
    }
    # Shares whose intervals are made by the jackknife on the logit scale.
    assert [scales[name] for name in ("auroc", "balanced_accuracy", "tie_rate")] == ["logit"] * 3
    assert [scales[name] for name in ("kendall_tau_b", "cohens_kappa")] == ["fisher_z"] * 2
    assert [scales[name] for name in ("bias", "accuracy_difference")] == ["plain"] * 2


@pytest.mark.parametrize("area", [0.7, 0.85, 0.95])
def test_an_auroc_varies_as_it_does_where_values_spread_exponentially(area):
    rng, rows = np.random.default_rng(5), 200
    right = rng.exponential(area / (1 - area), (3_000, rows // 2, 1))
    wrong = rng.exponential(1.0, (3_000, 1, rows // 2))
    areas = (right > wrong).mean(axis=(1, 2))
    assert areas.mean() == pytest.approx(area, abs=0.003)
    assert areas.std() == pytest.approx(spread.auroc().of(area) / np.sqrt(rows), rel=0.05)


def test_every_spread_is_that_of_rows():
    for one in measure.all_measures():
        if one.spread is not None:
            assert 0 < one.spread.among <= 1
            assert 0 < one.spread.of(0.7) < 1


def test_the_command_answers_in_json_and_refuses_a_pilot_that_is_none(tmp_path: Path, monkeypatch, capsys):
    request = request_of(KAPPA.gate, expect={KAPPA.gate.id: 0.75})
    path = tmp_path / "request.json"
    path.write_text(request.model_dump_json())
    monkeypatch.setattr(sys, "argv", ["plan", str(path)])

    main()
    assert json.loads(capsys.readouterr().out)["rows"] == planned(KAPPA)[1]

    pilot = tmp_path / "audit.json"
    pilot.write_text("{}")
    path.write_text(request.model_copy(update={"pilot": str(pilot)}).model_dump_json())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"{pilot}: expected the audit.json of an audit, found")
