import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

STAGE = """
import os, sys, time
from gavel_train.run import progress
from gavel_train.run.outcome import BadRequest, run_stage
def body(request, epoch_dir):
    print("noise from a library")
    os.write(1, b"noise from native code\\n")
    progress.progress("load", 0, 3, {"a": float("nan"), "b": 1.5})
    %s
run_stage("grpo", body)
"""


def start(tmp_path, body: str):
    from tiny_run import write_request

    epoch_dir = write_request(tmp_path, "grpo", 1)
    script = tmp_path / "stage.py"
    script.write_text(textwrap.dedent(STAGE % body))
    child = subprocess.Popen(
        [sys.executable, str(script), str(epoch_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    return child, epoch_dir


def outcome(epoch_dir):
    return json.loads((epoch_dir / "outcome.json").read_text())


def test_only_progress_lines_reach_standard_output(tmp_path):
    child, epoch_dir = start(tmp_path, "pass")
    out = child.stdout.read()
    assert child.wait(60) == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"event": "progress", "phase": "load", "step": 0, "total": 3, "metrics": {"a": None, "b": 1.5}}
    ]
    errors = child.stderr.read()
    assert "noise from a library" in errors and "noise from native code" in errors
    assert outcome(epoch_dir)["status"] == "done"


# The sum holds the interpreter's lock for hours, so that no thread gets to look.
@pytest.mark.parametrize("busy", ["time.sleep(60)", "sum(range(10**12))"])
def test_the_end_of_standard_input_ends_the_process_at_once(tmp_path, busy):
    child, epoch_dir = start(tmp_path, busy)
    child.stdout.readline()
    child.stdin.close()
    # Long before it would have ended by itself.
    assert child.wait(30) == -signal.SIGKILL
    assert not (epoch_dir / "outcome.json").exists()


def test_the_end_of_standard_input_ends_a_rank_that_shares_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    child, _ = start(tmp_path, "time.sleep(60)")
    child.stdout.readline()
    child.stdin.close()
    assert child.wait(30) == 143


def test_sigterm_ends_the_process_with_outcome_preempted(tmp_path):
    child, epoch_dir = start(tmp_path, "time.sleep(60)")
    child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 143
    assert outcome(epoch_dir) == {
        "status": "preempted",
        "message": "stopped on request",
        "field": None,
        "cause": "preempted",
    }


def test_a_bad_request_names_its_field_and_exits_2(tmp_path):
    child, epoch_dir = start(tmp_path, 'raise BadRequest("policy.model", "expected a folder\\n  got none")')
    assert child.wait(60) == 2
    assert outcome(epoch_dir) == {
        "status": "bad_request",
        "message": "expected a folder got none",
        "field": "policy.model",
        "cause": None,
    }


def test_any_other_error_is_one_line_in_the_outcome_and_a_traceback_in_the_log(tmp_path):
    child, epoch_dir = start(tmp_path, 'raise KeyError("lost")')
    assert child.wait(60) == 1
    assert outcome(epoch_dir)["message"] == "KeyError: 'lost'"
    assert "Traceback" in child.stderr.read()


def test_a_newer_attempt_is_no_error_of_this_one(tmp_path):
    child, epoch_dir = start(
        tmp_path, "from gavel_train.run.directory import Superseded; raise Superseded('by epoch 2')"
    )
    assert child.wait(60) == 143
    assert outcome(epoch_dir) == {
        "status": "preempted",
        "message": "by epoch 2",
        "field": None,
        "cause": "superseded",
    }


@pytest.mark.parametrize("error", ["FileNotFoundError('work/model.safetensors')", "BadRequest(None, 'no')"])
def test_whatever_ends_an_attempt_that_a_newer_one_has_replaced_is_no_error_of_it(tmp_path, error):
    child, epoch_dir = start(tmp_path, f"(epoch_dir.parent / '000002').mkdir(); raise {error}")
    assert child.wait(60) == 143
    assert outcome(epoch_dir)["cause"] == "superseded"
    assert "epoch 1 was superseded by epoch 2" in outcome(epoch_dir)["message"]


FULL = """import gavel_train.run.outcome as o, errno
    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    o.write_atomically = full
    o._free_bytes = lambda path: 0
    raise %s"""


@pytest.mark.parametrize(
    "error",
    [
        "OSError(errno.ENOSPC, 'No space left on device')",
        "RuntimeError('[enforce fail at inline_container.cc:668] . unexpected pos 128 vs 22')",
    ],
)
def test_a_full_disk_is_told_although_nothing_can_be_written(tmp_path, error):
    child, epoch_dir = start(tmp_path, FULL % error)
    assert child.wait(60) == 1
    assert outcome(epoch_dir)["message"] == "disk full: free space, the last checkpoint is intact"
    assert [path.name for path in epoch_dir.glob("*full*")] == []


def test_a_new_attempt_clears_what_older_ones_left_half_saved(tmp_path):
    child, epoch_dir = start(tmp_path, "pass")
    assert child.wait(60) == 0
    newer = epoch_dir.with_name("000002")
    newer.mkdir()
    for folder in [epoch_dir / "work", epoch_dir / "trainer", newer / "work"]:
        folder.mkdir()
    (newer / "request.json").write_text((epoch_dir / "request.json").read_text())
    command = [sys.executable, str(tmp_path / "stage.py"), str(newer)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, check=True, timeout=60)
    assert not (epoch_dir / "work").exists() and not (epoch_dir / "trainer").exists()
    assert (newer / "work").exists()
