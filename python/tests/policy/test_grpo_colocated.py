"""Full fine-tuning through TRL's colocate mode, with a real vLLM in the trainer's process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_tree
from grpo_run import ask, checkpoints, head, rollouts, weights
from safetensors.torch import load
from tiny_run import make_model

HERE = Path(__file__).parent
COLOCATED = {
    "rollout": "vllm_colocate",
    "lora": None,
    "steps": 4,
    "save_every": 2,
    "max_completion_tokens": 8,
}

pytestmark = pytest.mark.slow


def run(epoch_dir: Path) -> list[dict]:
    """Run the stage; return the figures of each step."""
    done = subprocess.run(
        [sys.executable, HERE / "colocated_here.py", epoch_dir],
        env=os.environ | {"PYTHONPATH": f"{HERE.parents[1]}:{HERE.parent}", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"event"')]
    return [line["metrics"] for line in lines if line.get("phase") == "train" and "reward" in line["metrics"]]


def test_trains_all_weights_on_what_a_vllm_with_the_newest_weights_samples_and_resumes(tmp_path, gateways):
    # vLLM's attention on the CPU takes heads of 32 and more.
    root = make_tree(tmp_path, make_model(tmp_path / "policy", head_dim=32))
    policy = {"model": "model", "serve": {"max_model_len": 128, "gpu_memory_utilization": 0.1}}
    gateway = gateways(root / "runs/tiny")
    seen = run(ask(root, 1, gateway, policy=policy, **(COLOCATED | {"steps": 2})))
    assert len(seen) == 2
    seen += run(ask(root, 2, gateway, policy=policy, resume_from=head(root), **COLOCATED))
    assert len(seen) == 4
    before = load(weights(checkpoints(root) / "step-000000.e1"))
    after = load(weights(checkpoints(root) / "step-000004.e2"))
    assert not [name for name in before if before[name].equal(after[name])]
    # An update of 0.01 a weight changes the policy by far more than bfloat16, in which vLLM samples, does.
    assert all(step["sampling_logp_difference_mean"] < 0.1 for step in seen)
    assert [record["step"] for record in rollouts(root, "step-000004.e2")] == [
        step for step in (1, 2, 3, 4) for _ in range(8)
    ]
