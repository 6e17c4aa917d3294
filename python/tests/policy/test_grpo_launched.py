"""Ranks behind a real launcher: what the worker starts and how it asks them to end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from grpo_run import ask, asked_of, checkpoints

PYTHON = Path(__file__).resolve().parents[2]


def ranks_of(epoch_dir: Path) -> list[int]:
    """Pids of the trainers of an epoch, their launcher left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if str(epoch_dir) in command and "torch.distributed.run" not in command:
            found.append(int(folder.name))
    return found


def test_ranks_behind_a_launcher_commit_the_last_boundary_together(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=3)
    epoch_dir = ask(root, 1, gateway, processes=2, steps=40, save_every=40, micro_batch_size=2)
    launcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
            *("-m", "gavel_train.policy.grpo", str(epoch_dir)),
        ],
        env=os.environ | {"PYTHONPATH": str(PYTHON), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=(epoch_dir / "stderr").open("w"),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 180
        while not any(map(gateway.hold, gateway.asked)):
            assert launcher.poll() is None and time.monotonic() < deadline, (epoch_dir / "stderr").read_text()
            time.sleep(0.1)
        ranks = ranks_of(epoch_dir)
        assert len(ranks) == 2
        for pid in ranks:
            os.kill(pid, signal.SIGTERM)
        # The launcher blurs the exit code; the outcome does not.
        assert launcher.wait(30) != 0
        assert json.loads((epoch_dir / "outcome.json").read_text())["status"] == "preempted"
        committed = sorted(path.name for path in checkpoints(root).glob("step-*"))
        assert committed == ["step-000000.e1", "step-000002.e1"]
        assert len(list((checkpoints(root) / "step-000002.e1").glob("rng_state_*.pth"))) == 2
    finally:
        for pid in [*ranks_of(epoch_dir), launcher.pid]:
            if launcher.poll() is None or pid != launcher.pid:
                os.kill(pid, signal.SIGKILL)
        launcher.wait(10)
