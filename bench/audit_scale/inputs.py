"""Rows and files of verdicts of a large audit: a judge, a grader in two modes, and a base."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audit_power.cases import WORLD
from audit_power.graders import Grader, agreeing, erring, scoring
from gavel_train.audit.sample import SCORES, Answers, Floats, Rows

SEED = 7
GATES = [
    {"id": "fidelity.grader.headline.quadratic_weighted_kappa", "at_least": 0.6},
    {"id": "teacher_wrong.grader.headline.balanced_accuracy_difference", "at_least": -0.05},
    {"id": "coverage.grader.headline.scored", "at_least": 0.95},
]
_KINDS = ("algebra", "geometry", "number theory", "counting", "calculus", "statistics")
_CHECKPOINTS = ("step-000000", "step-000060", "step-000120")
_TEXT = "find the value of x for which the sum of both terms is as large as it can be"


def write_inputs(folder: Path, rows: int, prompts: int) -> None:
    """Write rows.jsonl, a file of verdicts for each contestant, and the request.json of the audit."""
    rng = np.random.default_rng(SEED)
    drawn, judge = WORLD.rows(rng, prompts, rows)
    _write(folder / "rows.jsonl", _rows(rng, drawn))
    contestants = [{"role": "judge", "mode": "reasoned", "source": "file", "file": "judge-reasoned.jsonl"}]
    _write(folder / "judge-reasoned.jsonl", _verdicts(judge))
    others: list[tuple[str, str, Grader]] = [
        ("grader", "single_token", erring(WORLD, 0.85)),
        ("grader", "reasoned", scoring(WORLD, 0.98)),
        ("base", "single_token", agreeing(WORLD, 0.3)),
    ]
    for role, mode, grader in others:
        answers = grader.answers(rng, drawn, judge, prompts)
        name = f"{role}-{mode}.jsonl"
        is_token = mode == "single_token"
        _write(folder / name, _distributions(rng, answers) if is_token else _verdicts(answers))
        contestants.append({"role": role, "mode": mode, "source": "file", "file": name})
    request = {
        "run": "audit-scale",
        "rows": "rows.jsonl",
        "contestants": contestants,
        "headline_mode": "single_token",
        "gates": GATES,
        "looks": "looks.jsonl",
    }
    (folder / "request.json").write_text(json.dumps(request))


def _rows(rng: np.random.Generator, rows: Rows) -> Iterable[Mapping[str, Any]]:
    some_words = _TEXT.split()
    lengths = rng.integers(20, 200, size=int(rows.prompt_N.max()) + 1)
    for index, (prompt, truth) in enumerate(zip(rows.prompt_N.tolist(), rows.truth_N.tolist(), strict=True)):
        words = [some_words[(prompt + at) % len(some_words)] for at in range(lengths[prompt])]
        yield {
            "id": f"row-{index}",
            "prompt": f"Problem {prompt}: {' '.join(words)}?",
            "completion": f"It is {index % 97}, since {_TEXT}.",
            "is_correct": truth == 1,
            "source": _CHECKPOINTS[index % len(_CHECKPOINTS)],
            "fields": {"kind": _KINDS[prompt % len(_KINDS)]},
        }


def _verdicts(answers: Answers) -> Iterable[Mapping[str, Any]]:
    for index, score in enumerate(answers.score_N.tolist()):
        yield {"row_id": f"row-{index}"} | ({} if np.isnan(score) else {"score": int(score)})


def _distributions(rng: np.random.Generator, answers: Answers) -> Iterable[Mapping[str, Any]]:
    """Probabilities of the ten digits, of which the score has more than half: all values differ."""
    noise_NS: Floats = rng.dirichlet(np.ones(SCORES), size=len(answers.score_N))
    for index, (score, noise_S) in enumerate(zip(answers.score_N.astype(int), noise_NS, strict=True)):
        share_S = 0.45 * noise_S
        share_S[score] += 0.55
        yield {"row_id": f"row-{index}", "distribution": share_S.tolist()}


def _write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
