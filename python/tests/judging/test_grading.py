import json

import pytest
from conftest import KEY
from tiny_run import ledger_line

from gavel_train.contracts import AuditRow
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import grade_rows
from gavel_train.run.ledger import LedgerError


def rows(count: int) -> list[AuditRow]:
    return [
        AuditRow(
            id=f"row-{n}",
            prompt_id=f"p{n}",
            prompt="1+1=",
            completion=str(n),
            ground_truth="2",
            is_correct=n == 2,
            source="step-000000.e1",
        )
        for n in range(count)
    ]


@pytest.fixture
def grading(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="audit")
    client = GatewayClient(gateway.url, KEY, concurrency=4)

    def run(count: int, role="grader", mode="single_token"):
        return grade_rows(
            client, rows(count), role, mode, out=tmp_path, run_dir=tmp_path, segments="audit-e1-*.jsonl"
        )

    yield run, gateway, tmp_path
    client.close()


def test_each_row_gets_one_verdict_in_order_and_the_pass_says_what_it_cost(grading):
    run, gateway, out = grading
    gateway.score = lambda request: None if request["completion"] == "3" else int(request["completion"])
    summary = run(5)
    verdicts = [json.loads(x) for x in (out / "verdicts-grader-single_token.jsonl").read_text().splitlines()]
    assert [v["row_id"] for v in verdicts] == [f"row-{n}" for n in range(5)]
    assert [v["score"] for v in verdicts] == [0, 1, 2, None, 4]
    assert verdicts[3]["verdict"] == "unparseable"
    assert (summary.rows, summary.asked, summary.model) == (5, 5, "judge")
    assert (summary.prompt_tokens, summary.completion_tokens) == (45, 45)
    assert summary.verdicts_per_s and summary.verdicts_per_s > 0
    assert json.loads((out / "pass-grader-single_token.json").read_text())["asked"] == 5
    assert {request["occasion"] for request in gateway.asked} == {f"audit:row-{n}" for n in range(5)}


def test_a_damaged_line_in_the_ledger_of_the_pass_is_never_counted_from(grading):
    run, gateway, _ = grading
    run(2)
    gateway.segment.write_text(
        gateway.segment.read_text().replace('"prompt_tokens": 9', '"prompt_tokens": 8')
    )
    with pytest.raises(LedgerError, match=r"audit-e1-000001\.jsonl:1"):
        run(3)


def test_a_kill_before_the_pass_is_written_leaves_no_other_pass_with_the_verdicts(grading):
    run, gateway, out = grading
    run(4)
    path = out / "pass-grader-single_token.json"
    of_one_model, grade = path.read_bytes(), gateway.grade
    gateway.grade = lambda request: grade(request | {"model": "another"})
    run(4)
    path.write_bytes(of_one_model)
    again = run(4)
    assert (again.asked, again.verdicts_per_s) == (0, None)
    assert json.loads(path.read_text())["asked"] == 0


def test_rows_answered_from_the_ledger_do_not_count_as_speed_where_their_first_pass_is_not_known(grading):
    run, _, out = grading
    first = run(4)
    assert run(4) == first
    (out / "pass-grader-single_token.json").unlink()
    again = run(4)
    assert (again.rows, again.asked, again.seconds, again.verdicts_per_s) == (4, 0, 0.0, None)
    more = run(6)
    assert (more.rows, more.asked, more.prompt_tokens) == (6, 2, 18)


def test_a_reply_reused_for_identical_text_is_not_asked(grading):
    run, gateway, _ = grading
    real = gateway.grade

    def reuse(request):
        answer = real(request)
        if request["completion"] == "1":
            lines = [json.loads(x) for x in gateway.segment.read_text().splitlines()]
            for line in lines:
                del line["crc32"]
                line["reused_from"] = "b" * 64 if line["key"] in answer["trace_keys"] else line["reused_from"]
            gateway.segment.write_text("".join(map(ledger_line, lines)))
        return answer

    gateway.grade = reuse
    assert run(1).asked == 1
    assert run(2).asked == 0
