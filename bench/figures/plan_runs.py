"""Steps of gavel's own GRPO trainer on a model of a given shape, timed by the trainer's progress lines.

Each run is a forked child on one core, with one thread. It has the trainer, its rollouts, its commits and,
for `served`, a real vLLM on another core. Temporal, gateway and audit are left out. The judge is a queue.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from figures.models import END
from figures.plan_cases import Case, Measured
from figures.stock import tokenizer
from gavel_train.contracts import Grade, StageRequest

# The first step pays for what later ones find made: allocations, and the imports of TRL's first update.
_WARM_UP = 2


class QueueJudge:
    """A judge in place of the gateway's client: `slots` calls at a time, each of `seconds`."""

    def __init__(self, slots: int, seconds: float) -> None:
        self._threads = ThreadPoolExecutor(slots)
        self._seconds = seconds
        self._scores = random.Random(0)

    def submit(self, request: Any) -> Future[Grade]:
        """Start one call; returns at once."""
        return self._threads.submit(self._answer, self._scores.randrange(10))

    def _answer(self, score: int) -> Grade:
        time.sleep(self._seconds)
        numbers = {"score": score, "value": score, "value_rule": "score", "p_pass": float(score > 4)}
        unknown = {"confidence": None, "distribution": None, "off_scale_mass": None}
        return Grade.model_validate(
            {"trace_keys": ["0" * 64], "verdict": "scored", "reasoning": None, "replayed": False}
            | {"latency_ms": 1000 * self._seconds, **numbers, **unknown}
        )


def make_model(folder: Path, sizes: tuple[int, int, int, int, int, int]) -> Path:
    """Save a Qwen3 of random weights, with a tokenizer of as many words."""
    if folder.exists():
        return folder
    hidden, layers, heads, key_heads, intermediate, vocabulary = sizes
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        head_dim=hidden // heads,
        intermediate_size=intermediate,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=END,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer(vocabulary).save_pretrained(folder)
    return folder


def run(case: Case, root: Path, *, steps: int, epoch: int, endpoints: list[str], core: int) -> Measured:
    """Train `steps` steps after a warm-up in a child process; raises RuntimeError where it fails."""
    epoch_dir = _prepared(case, root, steps=steps + _WARM_UP, epoch=epoch, endpoints=endpoints)
    pid = os.fork()
    if pid == 0:
        _train_and_exit(case, epoch_dir, core)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    lines = [json.loads(line) for line in (epoch_dir / "stdout").read_text().splitlines()]
    found = [line["metrics"] for line in lines if line.get("phase") == "train"][_WARM_UP:]
    if status != 0 or len(found) < steps:
        raise RuntimeError(f"{case.name}: {(epoch_dir / 'stderr').read_text()[-2000:]}")

    def median(name: str) -> float:
        return statistics.median(one[name] for one in found)

    return Measured(
        median("step_seconds"),
        median("rollout_seconds"),
        median("judge_seconds"),
        median("completion_tokens") / case.rows,
    )


def _train_and_exit(case: Case, epoch_dir: Path, core: int) -> None:
    code = 1
    try:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(epoch_dir / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        os.sched_setaffinity(0, {core})
        torch.set_num_threads(1)
        from gavel_train.policy.grpo import train

        request = StageRequest.model_validate_json((epoch_dir / "request.json").read_bytes())
        train(request, epoch_dir, QueueJudge(case.judge_slots, case.judge_s), None)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _prepared(case: Case, root: Path, *, steps: int, epoch: int, endpoints: list[str]) -> Path:
    """Lay out a run directory as `prepare` does, and the request of one attempt."""
    run_dir = root / "runs" / case.name
    model = make_model(root / "-".join(map(str, case.model)), case.model)
    data = run_dir / "data"
    if not data.exists():
        data.mkdir(parents=True)
        words = random.Random(0)
        rows = [
            {"id": f"train-{number}", "prompt": text, "ground_truth": None, "meta": {}}
            for number in range(8 * case.prompts)
            for text in [" ".join(f"w{words.randrange(2, case.model[5])}" for _ in range(case.prompt))]
        ]
        (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    epoch_dir = run_dir / "grpo" / "epochs" / f"{epoch:06d}"
    epoch_dir.mkdir(parents=True)
    located = {"path": str(model), "revision": None}
    request = {
        "stage": "grpo",
        "run": case.name,
        "epoch": epoch,
        "root": str(root),
        "run_dir": f"runs/{case.name}",
        "resume_from": None,
        "chain": [],
        "gateway_url": None,
        "policy_endpoints": endpoints,
        "ledger": [],
        "models": {"policy": located, "base": located},
        "spec": spec_of(case, model=str(model), steps=steps),
    }
    (epoch_dir / "request.json").write_text(json.dumps(request))
    return epoch_dir


def spec_of(case: Case, *, model: str, steps: int) -> dict[str, Any]:
    """Return the spec of a case; what is not about GRPO is the least that the contract takes."""
    lora = case.rank and {"r": case.rank, "alpha": 2 * case.rank, "dropout": 0.0}
    return {
        "run": case.name,
        "task": {"name": "jsonl", "train_prompts": 8 * case.prompts, "eval_prompts": 1, "audit_prompts": 1},
        "policy": {"model": model},
        "judge": {"model": model, "rubric": "rubric.yaml", "concurrency": case.judge_slots},
        "base": {"model": model},
        "grpo": {
            "steps": steps,
            "prompts_per_step": case.prompts,
            "num_generations": case.group,
            "max_completion_tokens": case.completion,
            "micro_batch_size": case.micro_batch,
            "learning_rate": 1e-5,
            "verifier_weight": 0,
            "gradient_checkpointing": True,
            "rollout": case.rollout,
            "max_staleness": case.max_staleness,
            "save_every": steps,
            "lora": lora or None,
        },
        "sft": {
            "lora": {"r": 8, "alpha": 16},
            "epochs": 1.0,
            "learning_rate": 1e-4,
            "batch_size": 8,
            "max_length": 128,
            "save_every": 4,
        },
        "audit": {"gates": []},
    }
