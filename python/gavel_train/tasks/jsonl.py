"""Task `jsonl`: bring your own prompts, one JSON object a line, with a ground truth or without.

`task.path` is a file that is split by prompt here, or a folder with train.jsonl, eval.jsonl and audit.jsonl.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gavel_train.tasks.conversation import ROLES, conversation_text
from gavel_train.tasks.json_lines import UnusableData, kind_of, numbered_lines, object_in
from gavel_train.tasks.splits import SPLITS, dealt_out
from gavel_train.tasks.verifiers.named import PARAMS, verifier_named
from gavel_train.tasks.verifiers.verifier import Verifier

__all__ = ["make_splits", "verifier_of"]

_FIELDS = {"prompt_field": "prompt", "ground_truth_field": "ground_truth"}


@dataclass(frozen=True)
class _Settings:
    prompt_field: str
    ground_truth_field: str
    verifier: Verifier | None


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Read prompts and deal them out, none to two splits.

    A prompt is text, or a list of messages {role, content} that ends with the user's.
    `params`: `prompt_field`, `ground_truth_field` (names of the fields), `verifier` (see
    verifiers/named; "none", the default: only the judge rewards), and what that verifier reads.
    Raises UnusableData naming file, line and field, or ValueError naming a param.
    """
    settings = _settings(params)
    if path is None:
        raise UnusableData("task.path: expected a JSON lines file or a folder of them, got null")
    if path.is_dir():
        wanted = [split for split in SPLITS if sizes[split] > 0]
        rows = {split: _read(path / f"{split}.jsonl", settings) for split in wanted}
        for split in wanted:
            if len(rows[split]) < sizes[split]:
                raise UnusableData(
                    f"{path / split}.jsonl: expected {sizes[split]} prompts or more, got {len(rows[split])}"
                )
        return {split: rows.get(split, [])[: sizes[split]] for split in SPLITS}
    return dealt_out(_read(path, settings), sizes, f"jsonl:{seed}", path)


def verifier_of(params: dict[str, Any]) -> Verifier | None:
    """Return the check that `params.verifier` names, None for "none"."""
    return _settings(params).verifier


def _settings(params: dict[str, Any]) -> _Settings:
    fields = dict(_FIELDS)
    others: dict[str, Any] = {}
    known = [*_FIELDS, "verifier", *dict.fromkeys(param for read in PARAMS.values() for param in read)]
    for name, value in params.items():
        if name not in known:
            raise ValueError(f"jsonl has no parameter {name!r}; expected one of {', '.join(known)}")
        if name not in fields:
            others[name] = value
        elif isinstance(value, str) and value:
            fields[name] = value
        else:
            raise ValueError(f"Expected param {name!r} to be a name, got {value!r}")
    return _Settings(**fields, verifier=verifier_named(others.pop("verifier", "none"), others))


def _read(path: Path, settings: _Settings) -> list[dict[str, Any]]:
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
                f"{path}:{number}: field {settings.ground_truth_field!r}: the prompt of line "
                f"{first_at[prompt][0]} again, with another ground truth"
            )
    if not rows:
        raise UnusableData(f"{path}: expected at least one line with a {settings.prompt_field!r}, found none")
    return rows


def _row(line: str, path: Path, number: int, settings: _Settings) -> dict[str, Any]:
    record = object_in(line, f"{path}:{number}")
    prompt_field, truth_field = settings.prompt_field, settings.ground_truth_field
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
    verifier = settings.verifier
    reason = None if truth is None or verifier is None else verifier.refuse(str(truth), record)
    if reason is not None:
        raise UnusableData(f"{where}: {reason}")
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
