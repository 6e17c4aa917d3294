"""Task `gsm8k`: grade-school word problems with a number as their answer (Cobbe et al. 2021).

Training and eval prompts come from the published train split, audit prompts from the published test
split, so that nothing a policy or a grader is trained on can be in an audit.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

__all__ = ["make_splits", "verify"]

INSTRUCTION = 'Solve the problem step by step. End with a line "#### " followed by the answer as a number.'
HUB_NAME = "openai/gsm8k"

# A minus sign after a digit or a letter is an operation, as in 10-5.
_NUMBER = re.compile(r"(?:(?<!\w)-)?\$?(?:(?<=\$)-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\d)\.\d+")
_MARKED = re.compile(r"####\s*([^\n]*)")


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Draw prompts from `path/train.jsonl` and `path/test.jsonl`, or through `datasets` where path is null.

    `params`: `instruction`, the text put after each question. `root` is unused: path is resolved.
    """
    unknown = sorted(set(params) - {"instruction"})
    if unknown:
        raise ValueError(f"gsm8k has no parameter {unknown[0]!r}; expected instruction")
    instruction = params.get("instruction", INSTRUCTION)
    if not isinstance(instruction, str):
        raise ValueError(f"Expected param 'instruction' to be text, got {instruction!r}")
    train = _shuffled(_load(path, "train"), seed)
    test = _shuffled(_load(path, "test"), seed)
    wanted = sizes["train"] + sizes["eval"]
    if wanted > len(train):
        raise ValueError(f"Expected at most {len(train)} train and eval prompts together, got {wanted}")
    if sizes["audit"] > len(test):
        raise ValueError(f"Expected at most {len(test)} audit prompts, got {sizes['audit']}")
    drawn = {
        "train": ("train", train[: sizes["train"]]),
        "eval": ("train", train[sizes["train"] : wanted]),
        "audit": ("test", test[: sizes["audit"]]),
    }
    return {
        split: [_row(source, index, question, answer, instruction) for index, question, answer in rows]
        for split, (source, rows) in drawn.items()
    }


def verify(completion: str, ground_truth: str) -> bool:
    """Say whether the completion's answer equals the ground truth as a number.

    The answer is the number after the last "####", else the last number of the text; 1,234 and 1234.0
    and $1234 are equal.
    """
    answer, truth = number_in(completion), number_in(ground_truth)
    return answer is not None and truth is not None and abs(answer - truth) < 1e-6


def number_in(text: str) -> float | None:
    """Return the number that a text ends in, "#### x" preferred, or None."""
    marked = _MARKED.findall(text)
    if marked:
        after = _NUMBER.search(marked[-1])
        if after:
            return _as_float(after.group())
    numbers = [match.group() for match in _NUMBER.finditer(text)]
    return _as_float(numbers[-1]) if numbers else None


def _as_float(text: str) -> float:
    return float(re.sub(r"[$,]", "", text))


def _shuffled(rows: list[tuple[int, str, str]], seed: int) -> list[tuple[int, str, str]]:
    questions: set[str] = set()
    fresh = [row for row in rows if not (row[1] in questions or questions.add(row[1]))]
    random.Random(f"gsm8k:{seed}").shuffle(fresh)
    return fresh


def _row(source: str, index: int, question: str, answer: str, instruction: str) -> dict[str, Any]:
    return {
        "id": f"gsm8k-{source}-{index:05d}",
        "prompt": f"{question}\n\n{instruction}",
        "ground_truth": answer.rsplit("####", 1)[1].strip(),
        "meta": {"solution": answer},
    }


def _load(path: Path | None, split: str) -> list[tuple[int, str, str]]:
    if path is None:
        return _load_from_hub(split)
    file = path / f"{split}.jsonl"
    if not file.is_file():
        raise ValueError(f"{file}: expected GSM8K's {split} split (JSON lines), found no such file")
    rows: list[tuple[int, str, str]] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                question, answer = _question_and_answer(line, f"{file}:{number}")
                rows.append((number, question, answer))
    if not rows:
        raise ValueError(f"{file}: expected JSON lines, found an empty file")
    return rows


def _question_and_answer(line: str, where: str) -> tuple[str, str]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{where}: expected a JSON object, got {line.strip()[:60]!r} ({error.msg})"
        ) from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, got {line.strip()[:60]!r}")
    for field in ("question", "answer"):
        if not isinstance(record.get(field), str) or not record[field].strip():
            raise ValueError(f"{where}: field {field!r}: expected text, got {record.get(field)!r}")
    if number_in(record["answer"].rpartition("####")[2]) is None or "####" not in record["answer"]:
        raise ValueError(f"{where}: field 'answer': expected it to end in '#### <number>'")
    return record["question"], record["answer"]


def _load_from_hub(split: str) -> list[tuple[int, str, str]]:
    try:
        from datasets import load_dataset

        rows: Any = load_dataset(HUB_NAME, "main", split=split)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"GSM8K could not be had from the hub ({reason}); "
            "give task.path a folder with train.jsonl and test.jsonl"
        ) from None
    pairs = zip(rows["question"], rows["answer"], strict=True)
    return [(number, question, answer) for number, (question, answer) in enumerate(pairs, start=1)]
