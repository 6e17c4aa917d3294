"""Gates with a star, through files of verdicts: what was not measured is not passed over."""

from external_audit import audit_files, contestant, record, write_lines, write_request

from gavel_train.audit.external import run
from gavel_train.contracts import Audit


def rows_of(count: int, **more) -> list[dict]:
    """Rows of two completions a prompt; each of `more` is a function of the row's number."""
    return [
        {"id": f"r{n}", "prompt": f"q{n // 2}", "completion": f"c{n}", "is_correct": n % 3 != 0}
        | {name: value(n) for name, value in more.items()}
        for n in range(count)
    ]


def perfect(rows: list[dict]) -> list[dict]:
    return [{"row_id": row["id"], "score": 9 * (n % 3 != 0)} for n, row in enumerate(rows)]


def accuracy_of_kinds(folder, rows, slice_name="kind=*") -> dict:
    gate = {"id": "truth.grader.*.balanced_accuracy", "slice": slice_name, "at_least": 0.5}
    return audit_files(folder, rows, {"grader": perfect(rows)}, gates=[gate])


def test_a_slice_without_one_known_truth_has_a_record_of_nothing_and_is_not_passed_over(tmp_path):
    rows = rows_of(
        400,
        fields=lambda n: {"kind": "math" if n < 200 else "code"},
        is_correct=lambda n: n % 3 != 0 if n < 200 else None,
    )
    audit = accuracy_of_kinds(tmp_path, rows)
    (gate,) = audit["gates"]
    verdicts = {match["record"]["slice"]: match["verdict"] for match in gate["matches"]}
    assert verdicts == {"kind=math": "PASS", "kind=code": "INCONCLUSIVE"}
    assert (gate["verdict"], audit["verdict"]) == ("INCONCLUSIVE", "INCONCLUSIVE")
    code = record(audit, "truth.grader.file.balanced_accuracy", "kind=code")
    assert (code["point"], code["low"], code["n"], code["prompts"]) == (None, None, 0, 0)
    assert "no known truth" in code["method"]


def test_a_measure_that_applies_to_a_contestant_has_a_record_in_every_slice_and_no_other_has_one(tmp_path):
    rows = rows_of(
        120,
        fields=lambda n: {"kind": "math" if n < 60 else "code"},
        is_correct=lambda n: n % 3 != 0 if n < 60 else None,
    )
    silent = [{"row_id": row["id"]} for row in rows[60:]]
    labels = [{"row_id": row["id"], "label": "pass"} for row in rows[:60]]
    audit = audit_files(tmp_path, rows, {"judge": perfect(rows), "grader": [*labels, *silent]})
    ids = {
        name: {one["id"] for one in audit["records"] if one["slice"] == name}
        for name in ("all", "kind=math", "kind=code")
    }
    assert ids["kind=math"] == ids["kind=code"]
    assert {one for one in ids["all"] if one.startswith(("truth", "teacher_wrong"))} <= ids["kind=code"]
    assert "fidelity.grader.file.quadratic_weighted_kappa" not in ids["all"] | ids["kind=code"]


def test_a_kind_with_too_few_rows_keeps_a_gate_on_all_kinds_from_passing(tmp_path):
    rows = rows_of(400, fields=lambda n: {"kind": "rare" if n >= 390 else "ab"[n % 2]})
    audit = accuracy_of_kinds(tmp_path, rows)
    (gate,) = audit["gates"]
    assert {match["verdict"] for match in gate["matches"]} == {"PASS"}
    assert gate["verdict"] == audit["verdict"] == "INCONCLUSIVE"
    assert "kind=rare" in gate["reason"]
    assert accuracy_of_kinds(tmp_path, rows, "kind=a")["verdict"] == "PASS"


def test_rows_of_no_kind_keep_a_gate_on_all_kinds_from_passing(tmp_path):
    rows = rows_of(400, fields=lambda n: {"kind": "a"} if n < 399 else {})
    (gate,) = accuracy_of_kinds(tmp_path, rows)["gates"]
    assert (gate["verdict"], "rows without kind" in gate["reason"]) == ("INCONCLUSIVE", True)


def test_a_star_on_fields_that_nobody_asked_for_is_not_about_all_rows(tmp_path):
    gate = {"id": "truth.grader.*.balanced_accuracy", "slice": "*", "at_least": 0.5}
    rows = rows_of(400, fields=lambda n: {"kind": "ab"[n % 2]})
    audit = audit_files(tmp_path, rows, {"grader": perfect(rows)}, gates=[gate], slices=[])
    assert (audit["verdict"], audit["gates"][0]["matches"]) == ("INCONCLUSIVE", [])
    assert audit["gates"][0]["reason"] == "Expected a record of the slice *, found the slices all."


def test_a_mode_with_labels_alone_keeps_a_gate_on_the_scores_of_every_mode_from_passing(tmp_path):
    rows = rows_of(120)
    write_lines(tmp_path / "rows.jsonl", rows)
    write_lines(tmp_path / "scores.jsonl", perfect(rows))
    write_lines(
        tmp_path / "labels.jsonl",
        [{"row_id": row["id"], "label": "pass" if row["is_correct"] else "fail"} for row in rows],
    )
    gate = {"id": "fidelity.grader.*.quadratic_weighted_kappa", "at_least": 0.6}
    named = [contestant("judge", "scores.jsonl"), contestant("grader", "scores.jsonl", "digits")]
    for more, verdict in (([], "PASS"), ([contestant("grader", "labels.jsonl", "labels")], "INCONCLUSIVE")):
        write_request(tmp_path, [*named, *more], gates=[gate])
        run(tmp_path)
        audit = Audit.model_validate_json((tmp_path / "audit.json").read_bytes())
        assert audit.verdict == verdict
    assert "fidelity.grader.labels.quadratic_weighted_kappa" in audit.gates[0].reason
