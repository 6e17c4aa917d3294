import json
import os
import subprocess
import sys

from external_audit import PYTHON

FULL = """
import errno, sys
from gavel_train.audit import external
from gavel_train.run import outcome

def full(path, text):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))

def run(folder):
    outcome.write_atomically = full
    full(folder / "audit.json", "")

external.run = run
external.main()
"""


def test_an_audit_on_a_full_disk_says_so_although_nothing_can_be_written(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=PYTHON,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert (outcome["status"], outcome["cause"]) == ("failed", "disk_full")
    assert "No space left on device" in outcome["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["outcome.json"]
