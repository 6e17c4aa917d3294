"""Task `jsonl`: bring your own prompts, one JSON object a line, with a ground truth or without.

`task.path` is a file that is split by prompt here, or a folder with train.jsonl, eval.jsonl and audit.jsonl.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gavel_train.tasks import gsm8k_verifier
from gavel_train.tasks.conversation import ROLES, conversation_text
from gavel_train.tasks.json_lines import UnusableData, kind_of, numbered_lines, object_in

__all__ = ["make_splits", "verifier_of", "verify"]

SPLITS = ("train", "eval", "audit")
_DEFAULTS = {"prompt_field": "prompt", "ground_truth_field": "ground_truth", "verifier": "none"}
_VERIFIERS = ("exact", "number", "marked_number", "none")


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Read prompts and deal them out, none to two splits.

    A prompt is text, or a list of messages {role, content} that ends with the user's.
    `params`: `prompt_field`, `ground_truth_field` (names of the fields), `verifier` ("exact": the
    trimmed completion equals the ground truth; "marked_number": the number after `####` or in `\\boxed{}`
    does; "number": that, or where neither is there the last number; "none", the default: only the judge
    rewards).
    Raises UnusableData naming file, line and field, or ValueError naming a param.
    """
    settings = _settings(params)
    if path is None:
        raise UnusableData("task.path: expected a JSON lines file or a folder of them, got null")
    if path.is_dir():
        rows = {split: _read(path / f"{split}.jsonl", settings) for split in SPLITS}
        for split in SPLITS:
            if len(rows[split]) < sizes[split]:
                raise UnusableData(
                    f"{path / split}.jsonl: expected {sizes[split]} prompts or more, got {len(rows[split])}"
                )
            rows[split] = rows[split][: sizes[split]]
        return rows
    pool = _read(path, settings)
    wanted = sum(sizes[split] for split in SPLITS)
    if len(pool) < wanted:
        raise UnusableData(
            f"{path}: expected at least {wanted} distinct prompts (train, eval and audit), found {len(pool)}"
        )
    random.Random(f"jsonl:{seed}").shuffle(pool)
    splits: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        splits[split], pool = pool[: sizes[split]], pool[sizes[split] :]
    return splits


def verify(completion: str, ground_truth: str) -> bool:
    """Say whether the completion is the ground truth, white space at the ends aside."""
    return completion.strip() == ground_truth.strip()


def verifier_of(params: dict[str, Any]) -> Callable[[str, str], bool] | None:
    """Return the check that `params.verifier` names, None for "none"."""
    kind = _settings(params)["verifier"]
    number, marked = (partial(gsm8k_verifier.verify, reading=way) for way in ("lenient", "strict"))
    return {"exact": verify, "number": number, "marked_number": marked, "none": None}[kind]


def _settings(params: dict[str, Any]) -> dict[str, str]:
    settings = dict(_DEFAULTS)
    for name, value in params.items():
        if name not in _DEFAULTS:
            raise ValueError(f"jsonl has no parameter {name!r}; expected one of {', '.join(_DEFAULTS)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"Expected param {name!r} to be a name, got {value!r}")
        settings[name] = value
    if settings["verifier"] not in _VERIFIERS:
        raise ValueError(
            f"Expected param 'verifier' to be one of {', '.join(_VERIFIERS)}, got {settings['verifier']!r}"
        )
    return settings


def _read(path: Path, settings: dict[str, str]) -> list[dict[str, Any]]:
    if not path.is_file():
        raise UnusableData(f"{path}: expected a JSON lines file, found no such file")
    rows: list[dict[str, Any]] = []
    first_at: dict[str, tuple[int, str | None]] = {}
    for number, line in numbered_lines(path):
        row = _row(line, path, number, settings)
        prompt, truth = row["prompt"], row["ground_truth"]
        if prompt not in first_at:
            first_at[prompt] = (number, truth)
            rows.append(row)
        elif first_at[prompt][1] != truth:
            raise UnusableData(
                f"{path}:{number}: field {settings['ground_truth_field']!r}: the prompt of line "
                f"{first_at[prompt][0]} again, with another ground truth"
            )
    if not rows:
        raise UnusableData(
            f"{path}: expected at least one line with a {settings['prompt_field']!r}, found none"
        )
    return rows


def _row(line: str, path: Path, number: int, settings: dict[str, str]) -> dict[str, Any]:
    record = object_in(line, f"{path}:{number}")
    prompt_field, truth_field = settings["prompt_field"], settings["ground_truth_field"]
    prompt = record.pop(prompt_field, None)
    messages: list[dict[str, str]] | None = None
    if isinstance(prompt, list):
        messages = _messages(prompt, f"{path}:{number}: field {prompt_field!r}")
        prompt = conversation_text(messages)
    if not isinstance(prompt, str) or not prompt.strip():
        raise UnusableData(
            f"{path}:{number}: field {prompt_field!r}: expected text or messages, got {kind_of(prompt)}"
        )
    truth = record.pop(truth_field, None)
    where = f"{path}:{number}: field {truth_field!r}"
    if isinstance(truth, bool) or not isinstance(truth, str | int | float | None):
        raise UnusableData(f"{where}: expected text or a number, got {kind_of(truth)}")
    numeric = settings["verifier"] in ("number", "marked_number")
    if numeric and truth is not None and gsm8k_verifier.number_of_truth(str(truth)) is None:
        raise UnusableData(
            f"{where}: expected a number for verifier {settings['verifier']!r}, got other text"
        )
    return {
        "id": f"{path.stem}-{number:06d}",
        "prompt": prompt,
        "messages": messages,
        "ground_truth": None if truth is None else str(truth),
        "meta": record,
    }


def _messages(given: list[Any], where: str) -> list[dict[str, str]]:
    """Check a prompt that is a conversation, which the policy is to continue."""
    for at, message in enumerate(given):
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            raise UnusableData(f"{where}: message {at}: expected an object of role and content alone")
        if message["role"] not in ROLES:
            raise UnusableData(f"{where}: message {at}: expected a role of {', '.join(ROLES)}, got another")
        if not isinstance(message["content"], str) or not message["content"].strip():
            kind = kind_of(message["content"])
            raise UnusableData(f"{where}: message {at}: expected text as content, got {kind}")
    if not given or given[-1]["role"] != "user":
        raise UnusableData(f"{where}: expected a conversation that ends with a message of the user")
    return given
