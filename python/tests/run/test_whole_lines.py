"""Lines that another process reads are written at once: ranks share one pipe, where halves of lines melt."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CHILDREN = Path(__file__).parents[3] / "test/fixtures/children"
PROGRESS = """
from gavel_train.run import progress
progress.claim_stdout()
print("noise from a library")
progress.progress("train", 1, 2, {"reward": 0.5})
progress.resumed("step-000001.e1", 1)
"""


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (["-c", PROGRESS], 2),
        ([str(CHILDREN / "stuck.py")], 1),
        ([str(CHILDREN / "titled.py")], 1),
        ([str(CHILDREN / "deadlocked.py")], 1),
    ],
    ids=["progress", "stuck", "titled", "deadlocked"],
)
def test_each_line_is_one_write_also_where_python_does_not_buffer(command, lines):
    # A datagram holds what one write wrote.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    alone = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    with ours, theirs:
        child = subprocess.Popen(
            [sys.executable, "-u", *command],
            stdin=subprocess.PIPE,
            stdout=theirs,
            env={**os.environ, **alone},
        )
        try:
            ours.settimeout(60)
            written = [ours.recv(65536) for _ in range(lines)]
        finally:
            child.kill()
            child.wait()
    for line in written:
        event = json.loads(line)
        if "grandchild" in event:
            # It has a session of its own, and outlives what started it.
            os.kill(event["grandchild"], signal.SIGKILL)
        assert line.endswith(b"\n")
        assert "event" in event
