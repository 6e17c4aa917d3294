"""The grader as it is handed on: adapter, merged weights, tokenizer, and a card of what it was made from."""

import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from gavel_train.contracts import LocatedModel, SftSpec, StageRequest
from gavel_train.grader.examples import Examples
from gavel_train.grader.trl_config import compute_dtype
from gavel_train.run.directory import fsync_path, run_dir_of
from gavel_train.run.public_name import give_public_name


def write_grader(
    request: StageRequest,
    epoch_dir: Path,
    *,
    base: LocatedModel,
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    metrics: Mapping[str, float | None],
) -> Path:
    """Write `grader/` of the run, built in the epoch's own place and renamed; returns its path."""
    work = epoch_dir / "grader"
    shutil.rmtree(work, ignore_errors=True)
    model.save_pretrained(str(work))
    tokenizer.save_pretrained(work)
    _save_merged(request, base, work, tokenizer)
    (work / "README.md").write_text(card(request, examples, metrics), encoding="utf-8")
    for path in [*work.rglob("*"), work]:
        fsync_path(path)
    return give_public_name(request, work, run_dir_of(request) / "grader")


def _save_merged(
    request: StageRequest, base: LocatedModel, folder: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    # Merged in fp32 from the plain base: a sum in bf16 or onto 4-bit weights would round the adapter away.
    whole = AutoModelForCausalLM.from_pretrained(base.path, revision=base.revision, dtype=torch.float32)
    merged = PeftModel.from_pretrained(whole, str(folder)).merge_and_unload()
    merged.to(compute_dtype(request.spec.sft))
    # The grader was taught to end with the tokenizer's end of text, whatever the base ends with.
    ends = merged.generation_config.eos_token_id
    ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    if tokenizer.eos_token_id not in ends:
        merged.generation_config.eos_token_id = [tokenizer.eos_token_id, *ends]
    merged.save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")


def _targets(examples: Examples, sft: SftSpec) -> str:
    """What an answer was taught towards."""
    if sft.targets == "score":
        return "the judge's score"
    return f"the judge's distribution in {examples.distributions} traces, its score in the others"


def _verifier_on(examples: Examples, sft: SftSpec) -> str:
    """What the verifier says of the traces that were taught."""
    if examples.verified == 0:
        return "no word on any of them"
    taught = f", taught at {sft.contradicted_weight:g} times the weight" * (sft.contradicted == "weight")
    agrees = examples.verified - examples.contradicted
    verified, contradicted = examples.verified, examples.contradicted
    return f"has a word on {verified} of them: agrees with {agrees}, contradicts {contradicted}{taught}"


def card(request: StageRequest, examples: Examples, metrics: Mapping[str, float | None]) -> str:
    """The model card, Markdown."""
    spec = request.spec
    dtype = str(compute_dtype(spec.sft)).removeprefix("torch.")
    settings = json.dumps(spec.sft.model_dump(mode="json") | {"dtype": dtype}, indent=2)
    figures = "\n".join(
        f"| {name} | {value:.4f} |"
        for name, value in metrics.items()
        if name.startswith("holdout") and value is not None
    )
    outcomes = ", ".join(f"{outcome}: {count}" for outcome, count in examples.outcomes.items())
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers", "trl", "peft")
    )
    # A folder of this machine says nothing to a reader elsewhere; the spec's own name for it does.
    shown = spec.base.model
    commit = f" at {spec.base.revision}" if spec.base.revision else ""
    return f"""---
base_model: {shown}
library_name: peft
tags: [gavel, grader, lora]
---

# Grader of run {request.run}

Grades a completion 0-9 by the rubric `{spec.judge.rubric}`, distilled from the verdicts of a larger judge.
What it is worth is in `report/audit.json` of its run, which was measured on other prompts; the figures below
only say how well it fits.

| | |
| --- | --- |
| base | `{shown}`{commit} |
| judge | {", ".join(f"`{name}`" for name in examples.judge_models)} |
| rubric digest | {", ".join(f"`{digest}`" for digest in examples.rubric_digests) or "not recorded"} |
| modes | {", ".join(spec.sft.modes)} |
| traces | {examples.traces} on {examples.prompts} prompts |
| verifier | {_verifier_on(examples, spec.sft)} |
| targets | {_targets(examples, spec.sft)} |
| left out | {examples.duplicates} repeats, {examples.excluded} on prompts of the eval and audit splits, \
{examples.dropped} that the verifier contradicts |
| judge's scores in them, or what it prefers of a pair | {outcomes} |
| examples | {len(examples.train)} trained on, {len(examples.holdout)} held out by prompt |
| made with | {versions} |

## Held-out figures

| measure | value |
| --- | --- |
{figures}

`merged/` holds the whole weights, ready to serve; this folder holds the adapter alone.

## Settings

```json
{settings}
```
"""
