"""Task `gsm8k`: grade-school word problems with a number as their answer (Cobbe et al. 2021).

Training and eval prompts come from the published train split, audit prompts from the published test
split, so that nothing a policy or a grader is trained on can be in an audit.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gavel_train.tasks.gsm8k_verifier import answer_in, verify
from gavel_train.tasks.json_lines import UnusableData, kind_of, numbered_lines, object_in

INSTRUCTION = 'Solve the problem step by step. End with a line "#### " followed by the answer as a number.'
HUB_NAME = "openai/gsm8k"


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Draw prompts from `path/train.jsonl` and `path/test.jsonl`, or through `datasets` where path is null.

    `params`: `instruction`, the text put after each question; `answer`, what counts as the answer of a
    completion: "strict" (the default) or "lenient", see gsm8k_verifier. `root` is unused: path is resolved.
    """
    unknown = sorted(set(params) - {"instruction", "answer"})
    if unknown:
        raise ValueError(f"gsm8k has no parameter {unknown[0]!r}; expected instruction or answer")
    verifier_of(params)
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


def verifier_of(params: dict[str, Any]) -> Callable[[str, str], bool]:
    """Return the check that `params.answer` names: strict, the default, or lenient."""
    reading = params.get("answer", "strict")
    if reading not in ("strict", "lenient"):
        raise ValueError(f"Expected param 'answer' to be strict or lenient, got {reading!r}")
    return partial(verify, reading=reading)


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
        raise UnusableData(f"{file}: expected GSM8K's {split} split (JSON lines), found no such file")
    rows: list[tuple[int, str, str]] = []
    for number, line in numbered_lines(file):
        question, answer = _question_and_answer(line, f"{file}:{number}")
        rows.append((number, question, answer))
    if not rows:
        raise UnusableData(f"{file}: expected JSON lines, found an empty file")
    return rows


def _question_and_answer(line: str, where: str) -> tuple[str, str]:
    record = object_in(line, where)
    for field in ("question", "answer"):
        found = record.get(field)
        if not isinstance(found, str) or not found.strip():
            raise UnusableData(f"{where}: field {field!r}: expected text, got {kind_of(found)}")
    if answer_in(record["answer"], "strict") is None:
        raise UnusableData(f"{where}: field 'answer': expected it to end in '#### <number>'")
    return record["question"], record["answer"]


def _load_from_hub(split: str) -> list[tuple[int, str, str]]:
    try:
        from datasets import load_dataset

        rows: Any = load_dataset(HUB_NAME, "main", split=split)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnusableData(
            f"GSM8K could not be downloaded from the hub ({reason}); "
            "give task.path a folder with train.jsonl and test.jsonl"
        ) from None
    pairs = zip(rows["question"], rows["answer"], strict=True)
    return [(number, question, answer) for number, (question, answer) in enumerate(pairs, start=1)]
