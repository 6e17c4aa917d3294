"""Task `svamp`: short word problems of one operation, varied so that shallow cues fail (Patel et al. 2021).

`task.path` is the published SVAMP.json, or a folder that holds it: a list of objects with ID, Body, Question,
Equation, Answer and Type. Its 1,000 problems are dealt out to the splits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gavel_train.tasks.json_lines import UnusableData, kind_of, records_in, text_at
from gavel_train.tasks.splits import dealt_out
from gavel_train.tasks.verifiers.number import Number
from gavel_train.tasks.word_problems import WordProblem, distinct, instruction_of, reading_of


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Deal out the problems of the file at `path`.

    `params`: `instruction` and `answer` as in gsm8k. `root` is unused: path is resolved.
    Raises UnusableData naming file, entry and field, or ValueError naming a param.
    """
    instruction = instruction_of(params, "svamp")
    verifier_of(params)
    if path is None:
        raise UnusableData("task.path: expected the published SVAMP.json or its folder, got null")
    file = path / "SVAMP.json" if path.is_dir() else path
    problems = distinct([_problem(record, where) for _, where, record in records_in(file)], file)
    return dealt_out([problem.row(instruction) for problem in problems], sizes, f"svamp:{seed}", file)


def verifier_of(params: dict[str, Any]) -> Number:
    """Return the check that `params.answer` names: strict, the default, or lenient."""
    return Number("svamp", reading_of(params))


def _problem(record: dict[str, Any], where: str) -> WordProblem:
    body, question = text_at(record, "Body", where).strip(), text_at(record, "Question", where).strip()
    answer = record.get("Answer")
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        raise UnusableData(f"{where}: field 'Answer': expected a number, got {kind_of(answer)}")
    # A third of the published bodies have no full stop.
    text = f"{body} {question}" if body.endswith((".", "!", "?")) else f"{body}. {question}"
    meta = {"type": text_at(record, "Type", where), "equation": record.get("Equation")}
    return WordProblem(f"svamp-{text_at(record, 'ID', where)}", text, f"{answer:.12g}", meta)
