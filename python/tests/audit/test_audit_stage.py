import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from external_audit import record
from fake_gateway import serving
from tiny_run import RUBRIC, numbers, take_epoch, trace, write_request, write_segment

from gavel_train.audit.__main__ import main
from gavel_train.run.outcome import read_request

PYTHON = Path(__file__).resolve().parents[2]


def start(module: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, str(folder)],
        cwd=PYTHON,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"GAVEL_API_KEY": "a-key", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    )


def judge_says(row: dict) -> int:
    """A judge that takes every third right answer for wrong."""
    number = int(row["id"].removeprefix("r"))
    return 9 if row["is_correct"] and number % 3 else 0


def make_audit_root(root: Path) -> tuple[Path, list[dict]]:
    """A finished GRPO stage: 60 prompts with two rows each, and one row on a training prompt."""
    run_dir = root / "runs" / "tiny"
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "rubric.json").write_text(json.dumps(RUBRIC))
    write_segment(run_dir, "grpo-e1-000001.jsonl", [trace("trained on", "x", 9, "grpo:1:0:0:0")])
    work = take_epoch(run_dir, "grpo", 1)
    rows = [
        {
            "id": f"r{number}",
            "prompt_id": f"p{number // 2}",
            "prompt": f"prompt {number // 2}",
            "completion": f"answer {number}",
            "ground_truth": None,
            "is_correct": number % 4 != 0,
            "source": "last",
            "fields": {"kind": "odd" if number % 2 else "even"},
        }
        for number in range(120)
    ]
    rows.append(rows[1] | {"id": "r120", "prompt_id": "p", "prompt": "Trained  ON", "completion": "another"})
    verdicts = [
        {
            "row_id": row["id"],
            "trace_keys": ["k" * 64],
            "verdict": "scored",
            **numbers(judge_says(row)),
            "replayed": False,
            "latency_ms": 1.0,
        }
        for row in rows
    ]
    judge_pass = {
        "role": "judge",
        "mode": "reasoned",
        "model": "judge",
        "rows": 121,
        "asked": 121,
        "seconds": 12.1,
        "verdicts_per_s": 10.0,
        "prompt_tokens": 1,
        "completion_tokens": 1,
    }
    evals = [
        {"prompt_id": f"e{n}", "checkpoint": name, "step": step, "completion": "x", "verifier": float(ok)}
        for n in range(40)
        for name, step, ok in [("first", 0, n % 4 == 0), ("last", 60, n % 4 != 3)]
    ]
    lines = {"audit_rows": rows, "verdicts_judge": verdicts, "eval_rows": evals}
    for name, content in lines.items():
        (work / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in content))
    (work / "pass.json").write_text(json.dumps(judge_pass))
    place = "grpo/epochs/000001"
    artifacts = {name: f"{place}/{name}.jsonl" for name in lines} | {"pass_judge": f"{place}/pass.json"}
    result = {
        "stage": "grpo",
        "epoch": 1,
        "step": 60,
        "checkpoint": None,
        "metrics": {},
        "artifacts": artifacts,
        "digests": {name: sha256((run_dir / path).read_bytes()) for name, path in artifacts.items()},
        "finished_at": "2026-01-01T00:00:00Z",
    }
    data = json.dumps(result).encode()
    (run_dir / "grpo" / "result.json").write_bytes(data)
    (work / "result.sha256").write_text(sha256(data))
    return run_dir, rows


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    root = tmp_path_factory.mktemp("audit")
    run_dir, rows = make_audit_root(root)
    by_text = {row["completion"]: row for row in rows}

    def answer(asked: dict) -> int | None:
        row = by_text[asked["completion"]]
        if asked["role"] == "base":
            return 4
        if row["id"] == "r7" and asked["mode"] == "single_token":
            return None
        return judge_says(row)

    with serving(answer, run_dir / "traces" / "audit-e1-000001.jsonl") as url:
        epoch_dir = write_request(root, "audit", 1, gateway_url=url)
        done = start("gavel_train.audit", epoch_dir)
    assert done.returncode == 0, done.stderr
    return run_dir, done, json.loads((run_dir / "report" / "audit.json").read_text())


def test_the_stage_grades_with_grader_and_base_and_publishes_its_report(audited):
    run_dir, done, audit = audited
    result = json.loads((run_dir / "audit" / "result.json").read_text())
    assert result["artifacts"]["audit"] == "report/audit.json"
    assert {p["role"] + " " + p["mode"] for p in audit["passes"]} == {
        "judge reasoned",
        "grader single_token",
        "grader reasoned",
        "base single_token",
    }
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["phase"].split(":")[0] for event in events} == {"grade", "compute"}


def test_the_audit_names_the_weights_that_it_is_of_by_their_digest(audited):
    _, _, audit = audited
    assert {p["model_digest"] for p in audit["passes"] if p["role"] != "judge"} == {"d" * 64}


def test_rows_on_training_prompts_are_left_out_and_counted(audited):
    _, _, audit = audited
    assert (audit["rows"], audit["prompts"], audit["excluded_rows"]) == (120, 60, 1)


def test_a_grader_that_copies_the_judge_is_faithful_and_never_follows_the_truth_where_the_judge_is_wrong(
    audited,
):
    _, _, audit = audited
    # One of the 90 right rows has no verdict in single_token, and so is not right.
    for mode, n, behind in (("single_token", 119, 1 / 90 / 2), ("reasoned", 120, 0)):
        assert record(audit, f"fidelity.grader.{mode}.quadratic_weighted_kappa")["point"] == 1
        assert record(audit, f"fidelity.grader.{mode}.exact")["n"] == n
        wrong = [number for number in range(120) if number % 4 != 0 and number % 3 == 0]
        follows = record(audit, f"teacher_wrong.grader.{mode}.follows_truth")
        assert (follows["n"], follows["point"]) == (len(wrong), 0)
        difference = record(audit, f"teacher_wrong.grader.{mode}.balanced_accuracy_difference")
        assert difference["point"] == pytest.approx(-behind)


def test_an_unparseable_verdict_is_counted_and_never_scored(audited):
    _, _, audit = audited
    assert record(audit, "coverage.grader.single_token.scored")["point"] == pytest.approx(119 / 120)
    assert record(audit, "coverage.grader.single_token.unparseable")["point"] == pytest.approx(1 / 120)
    (given,) = [table for table in audit["tables"] if table["id"] == "coverage.grader.single_token.given"]
    assert sum(given["cells"][0]) == 119


def test_the_untrained_base_that_says_one_score_has_no_agreement_beyond_chance(audited):
    _, _, audit = audited
    assert record(audit, "fidelity.base.single_token.quadratic_weighted_kappa")["point"] == 0
    assert record(audit, "truth.base.single_token.balanced_accuracy")["point"] == 0.5


def test_saying_right_to_everything_is_shown_beside_those_who_were_asked(audited):
    _, _, audit = audited
    assert record(audit, "truth.always_pass.constant.accuracy")["point"] == 0.75
    assert record(audit, "truth.always_pass.constant.balanced_accuracy")["point"] == 0.5
    baseline = [one["id"] for one in audit["records"] if ".always_pass." in one["id"]]
    assert {record_id.split(".")[0] for record_id in baseline} == {"truth"}


def test_the_policys_gain_is_paired_by_prompt(audited):
    _, _, audit = audited
    figures = {
        name: record(audit, f"policy.policy.held_out.{name}") for name in ("accuracy_first", "accuracy_last")
    }
    assert [figure["point"] for figure in figures.values()] == [0.25, 0.75]
    gain = record(audit, "policy.policy.held_out.gain")
    assert gain["point"] == 0.5
    assert gain["low"] > 0.3


def test_rows_are_sliced_by_what_they_carry_and_by_the_judges_score(audited):
    _, _, audit = audited
    fields = {field["field"]: [value["value"] for value in field["values"]] for field in audit["slices"]}
    assert fields["kind"] == ["even", "odd"]
    assert fields["score"] == ["0", "9"]
    assert "checkpoint" not in fields
    assert record(audit, "truth.grader.reasoned.accuracy", "kind=even")["n"] == 60


def test_the_stage_shows_the_figures_of_the_headline_mode(audited):
    run_dir, done, audit = audited
    metrics = json.loads((run_dir / "audit" / "result.json").read_text())["metrics"]
    assert metrics["quadratic_weighted_kappa"] == 1
    kappa = record(audit, "fidelity.grader.single_token.quadratic_weighted_kappa")
    assert metrics["quadratic_weighted_kappa_low"] == kappa["low"]
    assert (
        metrics["balanced_accuracy"] == record(audit, "truth.grader.single_token.balanced_accuracy")["point"]
    )
    assert (metrics["exact"], metrics["policy_gain"], metrics["passed"]) == (1, 0.5, 1)
    assert metrics["grader_over_judge"] > 0
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["metrics"] == metrics


def test_the_first_audit_of_a_run_is_the_first_look_at_its_rows(audited):
    run_dir, _, audit = audited
    assert (audit["look"]["number"], audit["confidence"]) == (1, 0.95)
    (line,) = (run_dir / "report" / "looks.jsonl").read_text().splitlines()
    assert json.loads(line)["data_digest"] == audit["look"]["data_digest"]


def test_an_audit_that_is_started_again_is_the_same_look(tmp_path):
    run_dir, rows = make_audit_root(tmp_path)
    right = {row["completion"]: row["is_correct"] for row in rows}
    numbers_seen = []
    for epoch in (1, 2):
        segment = run_dir / "traces" / f"audit-e{epoch}-000001.jsonl"
        with serving(lambda asked: 9 * right[asked["completion"]], segment) as url:
            epoch_dir = write_request(tmp_path, "audit", epoch, gateway_url=url)
            main(read_request(epoch_dir, "audit"), epoch_dir)
        numbers_seen.append(json.loads((run_dir / "report" / "audit.json").read_text())["look"]["number"])
    assert numbers_seen == [1, 1]


def test_without_a_result_of_grpo_the_stage_says_what_to_run_first(tmp_path):
    epoch_dir = write_request(tmp_path, "audit", 1, gateway_url="http://127.0.0.1:9")
    done = start("gavel_train.audit", epoch_dir)
    assert done.returncode == 2
    assert "grpo/result.json" in json.loads((epoch_dir / "outcome.json").read_text())["message"]


def test_rows_of_grpo_that_are_not_what_it_published_end_the_attempt_by_an_error_that_names_them(tmp_path):
    run_dir, _ = make_audit_root(tmp_path)
    path = run_dir / "grpo/epochs/000001/audit_rows.jsonl"
    path.write_text(path.read_text().replace("answer 1", "answer 2", 1))
    epoch_dir = write_request(tmp_path, "audit", 1, gateway_url="http://127.0.0.1:9")
    done = start("gavel_train.audit", epoch_dir)
    assert done.returncode == 1
    outcome = json.loads((epoch_dir / "outcome.json").read_text())
    assert outcome["status"] == "failed"
    assert "audit_rows.jsonl: expected the audit_rows of stage grpo with sha256" in outcome["message"]
