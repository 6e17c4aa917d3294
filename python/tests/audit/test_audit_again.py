"""The same audit again, of what has changed since, in one folder."""

import pytest
from external_audit import contestant, record, some_rows, strictly, write_lines, write_request

from gavel_train.audit.external import run
from gavel_train.run.directory import sha256_of
from gavel_train.run.outcome import BadRequest


def test_a_row_that_would_be_asked_otherwise_now_is_asked_again_though_the_first_one_would_not(
    tmp_path, gateways
):
    gateway = gateways(tmp_path, stage="serve")
    write_lines(tmp_path / "rows.jsonl", some_rows(40))
    write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=gateway.url)
    run(tmp_path)
    # Another tokenizer breaks up other texts: the key of a row in which there is none stays as it is.
    grade, broken_up = gateway.grade, {"c1", "c7"}
    gateway.grade = lambda request: grade(
        request | {"completion": request["completion"] + "." * (request["completion"] in broken_up)}
    )
    run(tmp_path)
    assert strictly(tmp_path)["passes"][0]["asked"] == 2


def test_another_panel_over_the_same_traces_counts_and_what_they_cost_is_still_known(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="serve")
    write_lines(tmp_path / "rows.jsonl", some_rows(40))
    write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=gateway.url)
    run(tmp_path)
    passes, grade = strictly(tmp_path)["passes"], gateway.grade
    gateway.grade = lambda request: grade(request) | {"verdict": "low_confidence", "score": None}
    run(tmp_path)
    audit = strictly(tmp_path)
    assert record(audit, "coverage.grader.single_token.low_confidence")["point"] == 1
    assert audit["passes"] == passes
    assert passes[0]["asked"] == 40


def test_a_pass_over_other_rows_or_of_another_model_is_not_kept(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="serve")
    rows = some_rows(40)
    write_lines(tmp_path / "rows.jsonl", rows)
    write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=gateway.url)
    run(tmp_path)
    write_lines(tmp_path / "rows.jsonl", [*rows[:-1], rows[-1] | {"completion": "another"}])
    run(tmp_path)
    assert strictly(tmp_path)["passes"][0]["asked"] == 1
    # Another model: no key of the ledger is one of its keys.
    gateway.known.clear()
    grade = gateway.grade
    gateway.grade = lambda request: grade(request | {"model": "another"})
    run(tmp_path)
    assert strictly(tmp_path)["passes"][0]["asked"] == 40


def test_rows_that_nobody_counted_are_refused_before_anything_is_asked(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="serve")
    rows = some_rows(10)
    write_lines(tmp_path / "rows.jsonl", rows)
    counted = {"count": 10, "sha256": sha256_of(tmp_path / "rows.jsonl")}
    asked = [contestant("grader", mode="single_token")]
    write_request(tmp_path, asked, gateway_url=gateway.url, rows_counted=counted)
    for changed in ([*rows, rows[0] | {"id": "new"}], [*rows[:-1], rows[-1] | {"completion": "another"}]):
        write_lines(tmp_path / "rows.jsonl", changed)
        with pytest.raises(BadRequest, match="expected the 10 rows whose calls were counted") as raised:
            run(tmp_path)
        assert raised.value.field == "rows"
    assert gateway.asked == []
    write_lines(tmp_path / "rows.jsonl", rows)
    run(tmp_path)
    assert strictly(tmp_path)["request_digest"] == sha256_of(tmp_path / "request.json")
