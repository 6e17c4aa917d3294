import pytest
from external_audit import (
    audit_files,
    contestant,
    external,
    record,
    scores,
    some_rows,
    strictly,
    write_lines,
    write_request,
)
from fake_gateway import serving

from gavel_train.audit.external import run
from gavel_train.run.outcome import BadRequest

GATES = [
    {"id": "fidelity.grader.headline.quadratic_weighted_kappa", "at_least": 0.6},
    {"id": "truth.grader.headline.balanced_accuracy", "at_least": 0.6},
]


def judge_says(n: int) -> int:
    return n % 10


def test_files_alone_are_audited_for_fidelity_and_truth(tmp_path):
    rows = some_rows()
    audit = audit_files(
        tmp_path,
        rows,
        {"judge": scores(rows, judge_says), "grader": scores(rows, lambda n: 9 * (n % 3 != 0))},
        gates=GATES,
    )
    assert record(audit, "truth.grader.file.balanced_accuracy")["point"] == 1
    assert record(audit, "fidelity.grader.file.exact")["n"] == 120
    assert (audit["headline_mode"], audit["subject"], audit["truth_labels"]) == (
        "file",
        "pointwise",
        {"wrong": 40, "right": 80},
    )
    assert [one["file"] for one in audit["contestants"]] == ["judge.jsonl", "grader.jsonl"]
    assert audit["passes"] == []
    confusion = next(table for table in audit["tables"] if table["id"] == "fidelity.grader.file.confusion")
    assert sum(map(sum, confusion["cells"])) == 120
    assert confusion["cells"][3][0] == sum(1 for n in range(120) if n % 10 == 3 and n % 3 == 0)
    assert strictly(tmp_path) == audit


def test_rows_without_a_line_are_missing_and_scored_nowhere(tmp_path):
    rows = some_rows()
    audit = audit_files(tmp_path, rows, {"grader": scores(rows, judge_says)[:90]})
    assert record(audit, "coverage.grader.file.missing")["point"] == 0.25
    assert record(audit, "coverage.grader.file.scored")["point"] == 0.75
    assert record(audit, "truth.grader.file.accuracy")["n"] == 90


def test_an_audit_without_one_score_is_inconclusive_and_holds_no_number_in_its_place(tmp_path):
    rows = some_rows()
    silent = [{"row_id": row["id"]} for row in rows]
    given = {"judge": scores(rows, judge_says), "grader": silent}
    audit = audit_files(
        tmp_path, rows, given, gates=[*GATES, {"id": "coverage.grader.*.scored", "at_least": 0.9}]
    )
    assert strictly(tmp_path)["verdict"] == "FAIL"
    assert [gate["verdict"] for gate in audit["gates"]] == ["INCONCLUSIVE", "INCONCLUSIVE", "FAIL"]
    assert record(audit, "coverage.grader.file.scored")["point"] == 0
    undefined = [one for one in audit["records"] if ".grader." in one["id"] and one["n"] == 0]
    assert len(undefined) > 10
    assert {(one["point"], one["low"], one["high"]) for one in undefined} == {(None, None, None)}
    assert all(one["method"] for one in undefined)


@pytest.mark.parametrize("right", [True, False])
def test_truth_of_one_class_alone_clears_no_gate_on_both(tmp_path, right):
    rows = some_rows(right=lambda n: right)
    audit = audit_files(tmp_path, rows, {"grader": scores(rows, lambda n: 9 * right)}, gates=GATES[1:])
    (gate,) = strictly(tmp_path)["gates"]
    assert gate["verdict"] == audit["verdict"] == "INCONCLUSIVE"
    assert record(audit, "truth.grader.file.auroc")["point"] is None
    assert audit["covers"] == []


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_perfect_grader_on_too_few_prompts_is_inconclusive(tmp_path, count):
    rows = some_rows(count)
    both = scores(rows, lambda n: 9 * (n % 3 != 0))
    audit = audit_files(tmp_path, rows, {"judge": both, "grader": both}, gates=GATES)
    assert strictly(tmp_path)["verdict"] == audit["verdict"] == "INCONCLUSIVE"


def test_labels_without_scores_are_compared_as_labels(tmp_path):
    rows = some_rows()
    labels = [{"row_id": row["id"], "label": "pass" if n % 3 else "fail"} for n, row in enumerate(rows)]
    audit = audit_files(tmp_path, rows, {"judge": scores(rows, judge_says), "grader": labels})
    assert record(audit, "truth.grader.file.accuracy")["point"] == 1
    agreement = sum((n % 10 >= 5) == (n % 3 != 0) for n in range(120)) / 120
    assert record(audit, "fidelity.grader.file.label_agreement")["point"] == pytest.approx(agreement)
    assert strictly(tmp_path) == audit


def test_pairs_are_audited_from_files_by_their_labels(tmp_path):
    truth = ["A", "B", "tie"]
    rows = [
        {
            "id": f"r{n}",
            "prompt": f"q{n // 2}",
            "completion_a": "x",
            "completion_b": "y",
            "preference": truth[n % 3],
        }
        for n in range(120)
    ]
    grader = [
        {"row_id": row["id"], "label": "A" if n % 4 == 0 else truth[n % 3]} for n, row in enumerate(rows)
    ]
    judge = [{"row_id": row["id"], "label": truth[n % 3]} for n, row in enumerate(rows)]
    audit = audit_files(tmp_path, rows, {"judge": judge, "grader": grader})
    assert (audit["subject"], audit["truth_labels"]) == ("pairwise", {"A": 40, "B": 40, "tie": 40})
    right = sum(1 for n in range(120) if n % 4 != 0 or n % 3 == 0)
    assert record(audit, "truth.grader.file.accuracy")["point"] == pytest.approx(right / 120)
    assert record(audit, "fidelity.grader.file.label_agreement")["point"] == pytest.approx(right / 120)
    assert not any(".always_pass." in one["id"] for one in audit["records"])
    assert strictly(tmp_path) == audit


@pytest.mark.parametrize(
    ("row", "mode", "message"),
    [
        ({"completion_a": "x", "completion_b": "y"}, "single_token", "expected mode pairwise for pairs"),
        ({"completion": "x"}, "pairwise", "expected rows that are pairs, found mode pairwise"),
    ],
)
def test_an_endpoint_is_asked_only_in_a_mode_that_fits_the_rows(tmp_path, row, mode, message):
    write_lines(tmp_path / "rows.jsonl", [{"id": "a", "prompt": "p", **row}])
    write_request(tmp_path, [contestant("grader", mode=mode)], gateway_url="http://127.0.0.1:9")
    with pytest.raises(BadRequest, match=message):
        run(tmp_path)


def test_a_bad_line_in_a_file_is_found_before_an_endpoint_is_paid(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="serve")
    rows = some_rows(10)
    write_lines(tmp_path / "rows.jsonl", rows)
    write_lines(tmp_path / "judge.jsonl", [{"row_id": "unknown", "score": 1}])
    named = [contestant("grader", mode="single_token"), contestant("judge", "judge.jsonl")]
    write_request(tmp_path, named, gateway_url=gateway.url)
    with pytest.raises(BadRequest, match=r"judge\.jsonl:1: row_id") as raised:
        run(tmp_path)
    assert raised.value.field == "judge"
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("named", "changes", "said"),
    [
        ([("judge", "file")], {}, "Expected a contestant grader, found judge"),
        ([("grader", "file"), ("grader", "file")], {}, "one contestant grader in mode file, found several"),
        ([("grader", "file"), ("judge", "a"), ("judge", "b")], {}, "Expected one judge, found several"),
        ([("grader", "headline")], {}, "another name than headline"),
        ([("grader", "file"), ("always_pass", "file")], {}, "another name than always_pass"),
        ([("grader", "file")], {"headline_mode": "reasoned"}, r"mode of the grader \(file\), found reasoned"),
    ],
)
def test_contestants_that_do_not_fit_together_are_refused(tmp_path, named, changes, said):
    rows = some_rows(4)
    write_lines(tmp_path / "rows.jsonl", rows)
    write_lines(tmp_path / "v.jsonl", scores(rows, judge_says))
    write_request(tmp_path, [contestant(role, "v.jsonl", mode) for role, mode in named], **changes)
    with pytest.raises(BadRequest, match=said):
        run(tmp_path)


def test_an_endpoint_is_audited_on_a_users_rows_without_a_judge(tmp_path):
    rows = [
        {"id": f"x{n}", "prompt": f"q{n % 30}", "completion": f"so {n % 2}", "ground_truth": "1"}
        for n in range(60)
    ]
    write_lines(tmp_path / "rows.jsonl", rows)
    with serving(
        lambda asked: 9 * (asked["completion"] == "so 1"), tmp_path / "traces" / "serve-e0-000001.jsonl"
    ) as url:
        write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=url, gates=GATES)
        process = external(tmp_path)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    audit = strictly(tmp_path)
    assert not any(one["id"].endswith(".exact") for one in audit["records"])
    assert record(audit, "truth.grader.single_token.balanced_accuracy")["point"] == 1
    assert audit["verdict"] == "INCONCLUSIVE"
    assert "nothing was given to measure it by" in audit["gates"][0]["reason"]
    assert (audit["prompts"], audit["headline_mode"]) == (30, "single_token")


def test_another_grader_on_the_same_rows_is_a_second_look_with_wider_intervals(tmp_path):
    rows = some_rows()
    one, two = scores(rows, judge_says), scores(rows, lambda n: (n + 1) % 10)
    first = audit_files(tmp_path, rows, {"grader": one}, gates=GATES)
    second = audit_files(tmp_path, rows, {"grader": two}, gates=GATES)
    again = audit_files(tmp_path, rows, {"grader": one}, gates=GATES)
    looser = audit_files(tmp_path, rows, {"grader": one}, gates=[])
    assert [audit["look"]["number"] for audit in (first, second, again, looser)] == [1, 2, 1, 3]
    assert (first["confidence"], second["confidence"]) == (0.95, pytest.approx(1 - 0.05 / 4))
    assert second["look"]["asked_confidence"] == 0.95
    name = "coverage.grader.file.scored"
    assert record(second, name)["low"] < record(first, name)["low"]


def test_rows_beyond_the_first_are_not_audited_and_their_verdicts_are_no_mistake(tmp_path):
    rows = some_rows()
    audit = audit_files(tmp_path, rows, {"grader": scores(rows, judge_says)}, max_rows=50)
    assert (audit["rows"], audit["prompts"]) == (50, 25)
    assert record(audit, "coverage.grader.file.scored")["n"] == 50


def test_every_row_of_a_gate_says_what_it_matched_and_records_are_sliced(tmp_path):
    rows = [row | {"fields": {"kind": "ab"[n % 2]}} for n, row in enumerate(some_rows(400))]
    gate = {"id": "truth.*.headline.accuracy", "slice": "kind=*", "at_least": 0.5}
    audit = audit_files(tmp_path, rows, {"grader": scores(rows, lambda n: 9 * (n % 3 != 0))}, gates=[gate])
    (result,) = audit["gates"]
    assert [match["record"]["slice"] for match in result["matches"]] == ["kind=a", "kind=b"]
    assert (result["verdict"], audit["covers"]) == ("PASS", ["truth"])
    assert {field["field"] for field in audit["slices"]} == {"kind", "prompt_length"}
