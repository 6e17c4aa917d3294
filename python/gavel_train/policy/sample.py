"""After training: what the first, middle and last checkpoint answer to held-out prompts, and the verdicts.

Eval rows, and those of the tasks in task.evaluate_on, measure the policy by the verifier alone; audit rows
are graded by the judge, and later by the
grader. Batches are seeded one by one, so that a run killed here samples the same completions again and
the ledger answers for those already graded, whatever the number of ranks.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from gavel_train.contracts import PromptRow, StageRequest
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import grade_rows
from gavel_train.policy.audit_rows import Sampled, pairs_to_audit, rows_to_audit
from gavel_train.policy.model import device_of, load_checkpoint, load_tokenizer
from gavel_train.policy.sampled_checkpoints import UNTRAINED, choose_checkpoints, weights_of
from gavel_train.policy.step_log import mean
from gavel_train.rollouts.cached import CachedEngine, UnsupportedModel
from gavel_train.rollouts.engine import Engine, sampling_for
from gavel_train.rollouts.prompts import as_prompt, tokenize
from gavel_train.rollouts.transformers_generate import GenerateEngine
from gavel_train.run import lifetime, progress
from gavel_train.run.checkpoints import quarantine, read_manifest
from gavel_train.run.directory import (
    check_newest,
    publish_result,
    read_prompts,
    run_dir_of,
    write_atomically,
    write_rows,
)
from gavel_train.tasks import Verify, verifier_of
from gavel_train.tasks.evaluate_on import EVAL_ROWS_ON, label_of, split_of

# Two completions a prompt halve the sampling noise of the policy's accuracy for little time.
EVAL_COMPLETIONS = 2
# Small enough for one GPU beside the cache of long completions, large enough that a tiny model on a CPU
# is not held up by Python.
_BATCH = 128


def sample_and_grade(
    request: StageRequest, epoch_dir: Path, client: GatewayClient, verify: Verify, last: str
) -> None:
    """Sample, verify, have the judge grade, and publish the stage's result (rank 0 does the last three)."""
    run_dir, spec = run_dir_of(request), request.spec
    further = spec.task.evaluate_on
    splits = ["eval", "audit", *(split_of(one) for one in further)]
    prompts = {split: read_prompts(run_dir, split) for split in splits}
    progress.progress("verify", 0, 1)
    checkpoints, damaged = choose_checkpoints(request, last)
    sampled = _sample(request, epoch_dir, prompts, checkpoints)
    if lifetime.rank() != 0:
        return

    folder = run_dir / request.stage / "checkpoints"
    # Now that no rank will look for them any more.
    check_newest(folder.parent, request.epoch)
    for name, reason in damaged.items():
        quarantine(folder / name, reason, run_dir)
    eval_rows = list(_eval_rows("eval", sampled, prompts["eval"], checkpoints, verify))
    on = {
        label_of(one): list(
            _eval_rows(split_of(one), sampled, prompts[split_of(one)], checkpoints, verifier_of(one))
        )
        for one in further
    }
    rows_of = pairs_to_audit if spec.judge.mode == "pairwise" else rows_to_audit
    audit_rows = rows_of(sampled, prompts["audit"], checkpoints, verify)
    eval_path, audit_path = epoch_dir / "eval-rows.jsonl", epoch_dir / "audit-rows.jsonl"
    on_paths = {label: epoch_dir / f"eval-rows-on-{label}.jsonl" for label in on}
    for path, rows in ((eval_path, eval_rows), *((on_paths[label], on[label]) for label in on)):
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
    write_rows(audit_path, audit_rows)
    mode = spec.judge.mode
    grade_rows(
        client,
        audit_rows,
        "judge",
        mode,
        out=epoch_dir,
        run_dir=run_dir,
        segments=f"{request.stage}-e{request.epoch}-*.jsonl",
        gpus=spec.placement.judge_gpus or None,
    )
    newest = read_manifest(folder / last)
    publish_result(
        request,
        step=spec.grpo.steps,
        checkpoint=last,
        metrics={
            "reward": newest.metrics.get("reward"),
            "verifier_accuracy": newest.metrics.get("verifier_accuracy"),
            **{
                f"eval_{label}": mean(row["verifier"] for row in eval_rows if row["checkpoint"] == label)
                for label in checkpoints
            },
            **{
                f"eval_on_{task}_{label}": mean(row["verifier"] for row in rows if row["checkpoint"] == label)
                for task, rows in on.items()
                for label in checkpoints
            },
        },
        artifacts={
            "audit_rows": audit_path,
            "eval_rows": eval_path,
            **{f"{EVAL_ROWS_ON}{label}": path for label, path in on_paths.items()},
            "verdicts_judge": epoch_dir / f"verdicts-judge-{mode}.jsonl",
            "pass_judge": epoch_dir / f"pass-judge-{mode}.json",
            **{
                f"checkpoint_{label}": folder / name
                for label, (name, _) in checkpoints.items()
                if name != UNTRAINED
            },
        },
    )


def _sample(
    request: StageRequest,
    epoch_dir: Path,
    prompts: dict[str, list[PromptRow]],
    checkpoints: dict[str, tuple[str, int]],
) -> list[Sampled]:
    """Sample every checkpoint; batches are dealt to the ranks, and the ranks meet through files."""
    rank, ranks = lifetime.rank(), _ranks()
    batches = list(_batches(request, prompts, checkpoints))
    mine: list[Sampled] = []
    engine, tokenizer, loaded = None, load_tokenizer(request), None
    for number, (label, split, temperature, slots) in enumerate(batches):
        progress.progress("sample", number, len(batches))
        if number % ranks != rank:
            continue
        if loaded != checkpoints[label]:
            engine = None  # frees the model before, so that two are never held
            loaded = checkpoints[label]
            engine = _engine(request, load_checkpoint(request, weights_of(request, loaded[0])), tokenizer)
        assert engine is not None
        torch.manual_seed(
            zlib.crc32(f"{request.spec.grpo.seed}:{checkpoints[label][1]}:{split}:{slots[0]}".encode())
        )
        rows = [as_prompt(tokenizer, prompts[split][index]) for index, _ in slots]
        ids = tokenize(tokenizer, rows, request.spec.policy.chat_template_kwargs)
        sampling = sampling_for(tokenizer, request.spec.grpo, temperature=temperature)
        for one in sorted(engine.generate(ids, sampling), key=lambda one: one.index):
            text = str(tokenizer.decode(one.token_ids, skip_special_tokens=True))
            mine.append(Sampled(split, label, *slots[one.index], text))
    progress.progress("sample", len(batches), len(batches))
    if ranks == 1:
        return mine
    return _share(epoch_dir, mine, rank, ranks)


def _engine(request: StageRequest, model: Any, tokenizer: PreTrainedTokenizerBase) -> Engine:
    """Return the engine `cached`; `transformers` where the spec or the kind of model asks for it."""
    device = device_of()
    model = model.to(device).eval()
    if request.spec.grpo.rollout != "transformers":
        # A trainer that rolls out with vLLM may train models that `cached` cannot sample from.
        with suppress(UnsupportedModel):
            return CachedEngine(model, tokenizer, device=device)
    return GenerateEngine(model, tokenizer, device=device)


def _batches(
    request: StageRequest, prompts: dict[str, list[PromptRow]], checkpoints: dict[str, tuple[str, int]]
) -> Iterator[tuple[str, str, float, list[tuple[int, int]]]]:
    """Yield label, split, temperature and (prompt index, sample) slots; a checkpoint is sampled once."""
    audit = request.spec.audit
    seen: set[str] = set()
    for label, (name, _) in checkpoints.items():
        if name in seen:
            continue
        seen.add(name)
        of_audit = (audit.completions_per_prompt, audit.temperature)
        for split, rows in prompts.items():
            count, temperature = (
                of_audit if split == "audit" else (EVAL_COMPLETIONS, request.spec.grpo.temperature)
            )
            slots = [(index, sample) for index in range(len(rows)) for sample in range(count)]
            for start in range(0, len(slots), _BATCH):
                yield label, split, temperature, slots[start : start + _BATCH]


def _share(epoch_dir: Path, mine: Sequence[Sampled], rank: int, ranks: int) -> list[Sampled]:
    write_atomically(epoch_dir / f"sampled-{rank}.json", json.dumps([asdict(one) for one in mine]))
    torch.distributed.barrier()
    if rank != 0:
        return []
    shared = [json.loads((epoch_dir / f"sampled-{other}.json").read_text()) for other in range(ranks)]
    everything = [Sampled(**one) for part in shared for one in part]
    order = {"first": 0, "middle": 1, "last": 2}
    return sorted(everything, key=lambda one: (order[one.label], one.split, one.index, one.sample))


def _eval_rows(
    split: str,
    sampled: Sequence[Sampled],
    prompts: Sequence[PromptRow],
    checkpoints: dict[str, tuple[str, int]],
    verify: Verify,
) -> Iterator[dict[str, Any]]:
    for label, (name, step) in checkpoints.items():
        for one in sampled:
            if one.split == split and checkpoints[one.label][0] == name:
                row = prompts[one.index]
                yield {
                    "prompt_id": row.id,
                    "checkpoint": label,
                    "step": step,
                    "completion": one.completion,
                    "verifier": verify(one.completion, row),
                }


def _ranks() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
