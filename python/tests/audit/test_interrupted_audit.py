"""Audits that a kill or an endpoint's end interrupts, and what the next one still asks."""

import json
import signal
import time

import pytest
from conftest import error
from external_audit import contestant, external, record, some_rows, strictly, write_lines, write_request

from gavel_train.audit import external as external_module
from gavel_train.audit.external import run
from gavel_train.run.outcome import JudgeAway


def test_an_audit_that_was_killed_asks_for_no_verdict_again_that_is_on_disk(tmp_path, gateways):
    gateway = gateways(tmp_path, stage="serve")
    rows = some_rows(100)
    write_lines(tmp_path / "rows.jsonl", rows)
    named = [contestant(role, mode="single_token") for role in ("grader", "judge")]
    write_request(tmp_path, named, gateway_url=gateway.url)
    gateway.hold = lambda request: len(gateway.known) >= 60
    killed = external(tmp_path)
    deadline = time.monotonic() + 60
    while len(gateway.known) < 60 and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "audit.json").exists()
    gateway.hold = lambda request: False
    on_disk = set(gateway.keys())
    again = external(tmp_path)
    output, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    keys = gateway.keys()
    assert len(keys) == len(set(keys)) == 200
    audit = strictly(tmp_path)
    asked = {grading["role"]: grading["asked"] for grading in audit["passes"]}
    # Requests that were held when it died may still have been answered.
    assert 100 <= sum(asked.values()) <= 200 - len(on_disk) <= 140
    assert asked["judge"] == 100
    assert audit["look"]["number"] == 1
    phases = [json.loads(line)["phase"] for line in output.splitlines()]
    assert phases[-1] == "compute"

    run(tmp_path)
    assert gateway.keys() == keys
    assert strictly(tmp_path)["passes"] == audit["passes"]
    assert strictly(tmp_path)["look"]["number"] == 1


def test_an_endpoint_that_dies_half_way_ends_the_audit_and_the_next_one_asks_for_the_rest(
    tmp_path, gateways, monkeypatch
):
    # As many calls at once as it takes for some to come after the first refusal.
    monkeypatch.setattr(external_module, "_CALLS_IN_FLIGHT", 4)
    gateway = gateways(tmp_path, stage="serve")
    rows = some_rows(60)
    write_lines(tmp_path / "rows.jsonl", rows)
    write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=gateway.url)
    grade = gateway.grade

    def dying(request: dict) -> dict:
        if len(gateway.known) >= 30:
            gateway.answer_with = (503, error("no answer for 600 s", "judge_away"))
        return grade(request)

    gateway.grade = dying
    with pytest.raises(JudgeAway, match="no answer for 600 s"):
        run(tmp_path)
    assert not (tmp_path / "audit.json").exists()
    gateway.grade, gateway.answer_with = grade, None
    before = len(gateway.keys())
    assert 30 <= before < 60
    run(tmp_path)
    assert len(gateway.keys()) == len(set(gateway.keys())) == 60
    # Requests that were on their way when it ended may still have been answered.
    assert 0 < strictly(tmp_path)["passes"][0]["asked"] <= 60 - before
    assert record(strictly(tmp_path), "coverage.grader.single_token.scored")["n"] == 60
