"""Task `gsm8k`: grade-school word problems with a number as their answer (Cobbe et al. 2021).

Training and eval prompts come from the published train split, audit prompts from the published test
split, so that nothing a policy or a grader is trained on can be in an audit.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gavel_train.tasks.gsm8k_verifier import answer_in
from gavel_train.tasks.json_lines import UnusableData, numbered_lines, object_in, text_at
from gavel_train.tasks.verifiers.number import Number
from gavel_train.tasks.word_problems import WordProblem, instruction_of, reading_of

HUB_NAME = "openai/gsm8k"


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Draw prompts from `path/train.jsonl` and `path/test.jsonl`, or through `datasets` where path is null.

    `params`: `instruction`, the text put after each question; `answer`, what counts as the answer of a
    completion: "strict" (the default) or "lenient", see gsm8k_verifier. `root` is unused: path is resolved.
    A published split of which no prompt is wanted is not read.
    """
    instruction = instruction_of(params, "gsm8k")
    verifier_of(params)
    wanted = sizes["train"] + sizes["eval"]
    train = _shuffled(_load(path, "train"), seed) if wanted > 0 else []
    test = _shuffled(_load(path, "test"), seed) if sizes["audit"] > 0 else []
    if wanted > len(train):
        raise ValueError(f"Expected at most {len(train)} train and eval prompts together, got {wanted}")
    if sizes["audit"] > len(test):
        raise ValueError(f"Expected at most {len(test)} audit prompts, got {sizes['audit']}")
    drawn = {
        "train": train[: sizes["train"]],
        "eval": train[sizes["train"] : wanted],
        "audit": test[: sizes["audit"]],
    }
    return {split: [problem.row(instruction) for problem in problems] for split, problems in drawn.items()}


def verifier_of(params: dict[str, Any]) -> Number:
    """Return the check that `params.answer` names: strict, the default, or lenient."""
    return Number("gsm8k", reading_of(params))


def _shuffled(problems: list[WordProblem], seed: int) -> list[WordProblem]:
    first: dict[str, WordProblem] = {}
    for problem in problems:
        first.setdefault(problem.question, problem)
    fresh = list(first.values())
    random.Random(f"gsm8k:{seed}").shuffle(fresh)
    return fresh


def _load(path: Path | None, split: str) -> list[WordProblem]:
    if path is None:
        return _load_from_hub(split)
    file = path / f"{split}.jsonl"
    if not file.is_file():
        raise UnusableData(f"{file}: expected GSM8K's {split} split (JSON lines), found no such file")
    problems: list[WordProblem] = []
    for number, line in numbered_lines(file):
        where = f"{file}:{number}"
        record = object_in(line, where)
        question, answer = text_at(record, "question", where), text_at(record, "answer", where)
        if answer_in(answer, "strict") is None:
            raise UnusableData(f"{where}: field 'answer': expected it to end in '#### <number>'")
        problems.append(_problem(split, number, question, answer))
    if not problems:
        raise UnusableData(f"{file}: expected JSON lines, found an empty file")
    return problems


def _problem(split: str, number: int, question: str, answer: str) -> WordProblem:
    truth = answer.rsplit("####", 1)[1].strip()
    return WordProblem(f"gsm8k-{split}-{number:05d}", question, truth, {"solution": answer})


def _load_from_hub(split: str) -> list[WordProblem]:
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
    return [_problem(split, number, *pair) for number, pair in enumerate(pairs, start=1)]
