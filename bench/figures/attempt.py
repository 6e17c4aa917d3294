"""A run directory and the request of one attempt, as the worker writes them, for a trainer that is timed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gavel_train.contracts import StageRequest
from gavel_train.run.directory import now

STEP_PROMPTS = 8


def prompts(count: int, tokens: int, vocabulary: int) -> list[str]:
    """Return distinct prompts for `figures.stock.tokenizer`, whose tokens are words."""
    draw = random.Random(0)
    return [" ".join(f"w{draw.randrange(2, vocabulary)}" for _ in range(tokens)) for _ in range(count)]


def prepare(
    root: Path,
    number: int,
    texts: Sequence[str],
    *,
    gateway_url: str,
    policy_endpoints: Sequence[Path] = (),
    **grpo: Any,
) -> tuple[StageRequest, Path]:
    """Make run `r<number>` of the policy in `root`/model; return its request and its epoch's folder.

    A run of its own: a journal of another one would answer for the sampler. The epoch is `number`, so that
    a server that lasts never gets two adapters of one name.
    """
    run_dir = root / "runs" / f"r{number}"
    epoch_dir = run_dir / "grpo" / "epochs" / f"{number:06d}"
    epoch_dir.mkdir(parents=True)
    (run_dir / "data").mkdir()
    rows = [{"id": f"p{n}", "prompt": text, "ground_truth": None, "meta": {}} for n, text in enumerate(texts)]
    (run_dir / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = {"stage": "grpo", "epoch": number, "node": "here", "pid": 1, "started_at": now()}
    record |= {"starts_from": None, "accepted_segments": {}, "owner": None, "missing_traces": 0}
    (epoch_dir / "epoch.json").write_text(json.dumps(record))
    model = {"path": str(root / "model"), "revision": None}
    request = StageRequest.model_validate(
        {
            "stage": "grpo",
            "run": run_dir.name,
            "epoch": number,
            "root": str(root),
            "run_dir": f"runs/{run_dir.name}",
            "resume_from": None,
            "chain": [],
            "gateway_url": gateway_url,
            "policy_endpoints": [str(path) for path in policy_endpoints],
            "ledger": [],
            "models": {"policy": model, "base": model},
            "spec": _spec(run_dir.name, grpo),
        }
    )
    return request, epoch_dir


def _spec(run: str, grpo: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run,
        "task": {
            "name": "jsonl",
            "path": "none.jsonl",
            "train_prompts": 1,
            "eval_prompts": 1,
            "audit_prompts": 1,
        },
        "policy": {"model": "model"},
        # As many calls at once as two steps have: the queue alone says when a verdict comes.
        "judge": {"model": "model", "rubric": "rubric.yaml", "concurrency": 1024},
        "base": {"model": "model"},
        "grpo": {"prompts_per_step": STEP_PROMPTS, "dtype": "float32", "gradient_checkpointing": True} | grpo,
        "sft": {"lora": {"r": 8, "alpha": 16}, "epochs": 1.0},
        "audit": {"gates": []},
    }
