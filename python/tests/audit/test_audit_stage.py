import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_gateway import serving
from tiny_run import RUBRIC, numbers, resolved_spec, take_epoch, trace, write_request, write_segment

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
    assert audit["fidelity"]["quadratic_weighted_kappa"]["point"] == 1
    assert audit["fidelity"]["exact"]["n"] == 119
    wrong = [n for n in range(120) if n % 4 != 0 and n % 3 == 0]
    assert audit["teacher_wrong"]["rows"] == len(wrong)
    assert audit["teacher_wrong"]["grader_follows_truth"]["point"] == 0
    assert audit["truth"]["grader_minus_judge"]["balanced_accuracy"]["point"] == 0


def test_an_unparseable_verdict_is_counted_and_never_scored(audited):
    _, _, audit = audited
    assert audit["coverage"]["counts"]["grader"] == {"scored": 119, "unparseable": 1}
    assert audit["coverage"]["grader"]["point"] == pytest.approx(119 / 120)


def test_the_untrained_base_that_says_one_score_has_no_agreement_beyond_chance(audited):
    _, _, audit = audited
    assert audit["base_fidelity"]["quadratic_weighted_kappa"]["point"] == 0
    assert audit["truth"]["base"]["balanced_accuracy"]["point"] == 0.5


def test_the_policys_gain_is_paired_by_prompt(audited):
    _, _, audit = audited
    policy = audit["policy"]
    assert (policy["first"]["point"], policy["last"]["point"]) == (0.25, 0.75)
    assert policy["gain"]["point"] == 0.5
    assert policy["gain"]["low"] > 0.3


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


def external_request(folder: Path, url: str, **changes) -> None:
    audit = resolved_spec()["audit"]
    request = {
        "run": "any",
        "rows": "rows.jsonl",
        "gateway_url": url,
        "modes": ["single_token"],
        "base": False,
        "reference_guided": False,
        "threshold": 5,
        "bootstrap_samples": 200,
        "confidence": 0.95,
        "gates": audit["gates"],
        "seed": 0,
    }
    (folder / "request.json").write_text(json.dumps(request | changes))


def test_an_endpoint_is_audited_on_a_users_rows_without_a_judge(tmp_path):
    rows = [
        {"id": f"x{n}", "prompt": f"q{n % 30}", "completion": f"so {n % 2}", "ground_truth": "1"}
        for n in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(
        lambda asked: 9 * (asked["completion"] == "so 1"), tmp_path / "traces" / "serve-e0-000001.jsonl"
    ) as url:
        external_request(tmp_path, url)
        done = start("gavel_train.audit.external", tmp_path)
    assert done.returncode == 0, done.stderr
    audit = json.loads((tmp_path / "audit.json").read_text())
    assert audit["fidelity"] is None
    assert audit["truth"]["grader"]["balanced_accuracy"]["point"] == 1
    assert audit["verdict"] == "INCONCLUSIVE"
    assert audit["prompts"] == 30


@pytest.mark.parametrize(
    ("completion", "truth", "right"),
    [
        ("It was Berlin, 1900", "Paris, 1900", False),
        ("x = 3, y = 4", "x = 5, y = 4", False),
        ("B2", "A2", False),
        ("42 km", "42 miles", False),
        ("1/2", "2", False),
        ("so 3 + 4 = 7", "7", True),
        ("$1,000", "1000", True),
        (" paris. ", "Paris", True),
        ("It is not Paris", "Paris", None),
    ],
)
def test_a_truth_that_is_no_number_is_compared_whole(completion, truth, right):
    from gavel_train.audit.external import equal_answers

    assert equal_answers(completion, truth) is right


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "a", "prompt": "p"}', "rows.jsonl:1: completion"),
        ("{broken", "rows.jsonl:1: expected JSON"),
        ("", "found an empty file"),
        ('{"id": "a:b", "prompt": "p", "completion": "c"}', "rows.jsonl:1: id"),
    ],
)
def test_malformed_rows_of_a_user_are_named_by_line_and_field(tmp_path, line, said):
    from gavel_train.audit.external import read_external_rows
    from gavel_train.run.outcome import BadRequest

    (tmp_path / "rows.jsonl").write_text(line)
    with pytest.raises(BadRequest, match=said):
        read_external_rows(tmp_path / "rows.jsonl")
