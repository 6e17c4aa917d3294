"""Task `gsm_plus`: problems of GSM8K's test split, each perturbed in eight ways (Li et al. 2024).

`task.path` is a published file, JSON lines or a JSON list, of objects with question, solution, answer,
perturbation_type, seed_question, seed_solution and seed_answer. All variants of one seed problem go to one
split, so that none of an audited problem is trained on.

The answer of a problem of the kind "critical thinking" is None: the text lacks what is needed. The
instruction asks for `#### None` then, and such a completion is right there and wrong everywhere else.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.tasks.gsm8k_verifier import marked_answer
from gavel_train.tasks.json_lines import UnusableData, kind_of, records_in, text_at
from gavel_train.tasks.splits import SPLITS
from gavel_train.tasks.verifiers.mentions import words_of
from gavel_train.tasks.verifiers.number import Number
from gavel_train.tasks.verifiers.verifier import Checked
from gavel_train.tasks.word_problems import INSTRUCTION, WordProblem, distinct, instruction_of, reading_of

_NONE = "None"
_INSTRUCTION = f'{INSTRUCTION} If the text lacks what is needed, end with "#### {_NONE}".'


class NumberOrNone(Number):
    """Compares numbers; the truth None is a mark that holds that word, in either reading."""

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Compare the completion's answer with the truth."""
        marked = marked_answer(completion)
        says_none = marked is not None and words_of(marked) == ["none"]
        if row.ground_truth == _NONE:
            number = super().check(completion, row).read
            return Checked(float(says_none), _NONE if says_none else number)
        return Checked(0.0, _NONE) if says_none else super().check(completion, row)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse what is neither a number nor None."""
        return None if truth == _NONE else super().refuse(truth, fields)


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Deal out the problems of the file at `path`, the variants of a seed problem together.

    `params`: `instruction` and `answer` as in gsm8k; `kinds`, a list of perturbation types to take (all).
    `root` is unused: path is resolved. Raises UnusableData naming file, place and field, or ValueError naming
    a param.
    """
    instruction = instruction_of(params, "gsm_plus", own=["kinds"], standard=_INSTRUCTION)
    verifier = verifier_of(params)
    if path is None:
        raise UnusableData("task.path: expected a published file of GSM-Plus, got null")
    every = [_problem(record, number, where, verifier) for number, where, record in records_in(path)]
    problems = distinct(every, path)
    kinds = _kinds(params, {problem.meta["perturbation_type"] for problem in problems})
    families: dict[str, list[WordProblem]] = {}
    for problem in problems:
        if problem.meta["perturbation_type"] in kinds:
            families.setdefault(problem.meta["seed_question"], []).append(problem)
    rest = list(families.values())
    random.Random(f"gsm_plus:{seed}").shuffle(rest)
    splits: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        taken: list[WordProblem] = []
        while len(taken) < sizes[split]:
            if not rest:
                raise UnusableData(
                    f"{path}: expected {sizes[split]} problems for split {split!r}, found {len(taken)} whose "
                    f"seed problem is in no earlier split ({len(families)} seed problems in all)"
                )
            taken += rest.pop()
        splits[split] = [problem.row(instruction) for problem in taken[: sizes[split]]]
    return splits


def verifier_of(params: dict[str, Any]) -> NumberOrNone:
    """Return the check that `params.answer` names: strict, the default, or lenient."""
    return NumberOrNone("gsm_plus", reading_of(params))


def _problem(record: dict[str, Any], number: int, where: str, verifier: NumberOrNone) -> WordProblem:
    answer = record.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise UnusableData(f"{where}: field 'answer': expected text or a number, got {kind_of(answer)}")
    truth = str(answer).strip()
    reason = verifier.refuse(truth, {})
    if reason is not None:
        raise UnusableData(f"{where}: field 'answer': {reason}")
    fields = ("perturbation_type", "seed_question", "solution")
    meta = {field: text_at(record, field, where) for field in fields}
    return WordProblem(f"gsm_plus-{number:05d}", text_at(record, "question", where), truth, meta)


def _kinds(params: dict[str, Any], known: set[str]) -> set[str]:
    kinds = params.get("kinds", sorted(known))
    if not isinstance(kinds, list) or not kinds or not all(kind in known for kind in kinds):
        raise ValueError(f"Expected param 'kinds' to be a list of {', '.join(sorted(known))}, got {kinds!r}")
    return set(kinds)
