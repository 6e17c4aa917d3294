"""Task `reasoning_gym`: any data set of the package reasoning-gym, by name, checked by its own scorer.

The package is optional. It makes problems from a seed and an index, so that a run needs no data; an answer
is what stands in the last `<answer></answer>` of a completion, as the package's own evaluation reads it.
Its scorers give a number from 0 to 1: where a scorer gives partial credit, so does the reward.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.splits import SPLITS
from gavel_train.tasks.verifiers.verifier import Checked

INSTRUCTION = "Think step by step. End with the answer alone between <answer> and </answer>."
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
# Draws per wanted row before a data set counts as too small: one that is 95% used needs about 20.
_TRIES_PER_ROW = 50


class Scorer:
    """Asks the data set's scorer about what a completion gives as its answer."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._data_set = params["dataset"]
        self._made = lru_cache(maxsize=8)(lambda seed: _made(params, seed))
        # Made again rather than read from the row: JSON keeps neither tuples nor keys that are numbers.
        self._entry = lru_cache(maxsize=4096)(lambda seed, index: self._made(seed)[index])

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Return the scorer's number; raises BadRequest naming data set and row where it gives none."""
        answers = _ANSWER.findall(completion)
        if not answers:
            return Checked(0.0, None)
        answer = answers[-1].strip()
        try:
            seed, index = row.meta["seed"], row.meta["index"]
            value = float(self._made(seed).score_answer(answer, self._entry(seed, index)))
        except Exception as error:
            print(f"{self._data_set}, row {row.id}: {type(error).__name__}: {error}", file=sys.stderr)
            raise BadRequest(
                "task.params",
                f"The scorer of {self._data_set} raised {type(error).__name__} on row {row.id}; the log of "
                "the process has the message. Use another data set",
            ) from error
        if not 0 <= value <= 1:
            raise BadRequest(
                "task.params",
                f"The scorer of {self._data_set} gave {value} for row {row.id}; expected 0 to 1",
            )
        return Checked(value, answer)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse nothing: the data set's own answers are its truths."""
        return None

    def right_answer(self, truth: str) -> str:
        """Return the truth in the tags that the instruction asks for."""
        return f"<answer>{truth}</answer>"


def make_splits(
    params: dict[str, Any], sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Make problems index by index, without questions that were made before; fill one split after another.

    `params`: `dataset`, its name; `config`, the fields of its configuration but seed and size; `instruction`,
    the text put after each question; `seed` of the spec seeds the data set. `root` and `path`: unused.
    Raises ValueError naming the param, or the split that cannot be filled.
    """
    made, instruction = _made(params, seed), _instruction(params)
    seen: set[str] = set()
    splits: dict[str, list[dict[str, Any]]] = {}
    index = 0
    for split in SPLITS:
        splits[split] = []
        end = index + sizes[split] * _TRIES_PER_ROW
        while len(splits[split]) < sizes[split] and index < end:
            row = _row(made, params["dataset"], seed, index, instruction)
            if row["prompt"] not in seen:
                seen.add(row["prompt"])
                splits[split].append(row)
            index += 1
        if len(splits[split]) < sizes[split]:
            raise ValueError(
                f"Split {split!r} cannot be filled: {sizes[split]} distinct prompts wanted, "
                f"{len(splits[split])} found beyond those of earlier splits; make params.config harder or "
                "ask for fewer rows"
            )
    return splits


def verifier_of(params: dict[str, Any]) -> Scorer:
    """Return the scorer of the data set."""
    _made(params, 0)
    return Scorer(params)


def _row(made: Any, data_set: str, seed: int, index: int, instruction: str) -> dict[str, Any]:
    entry, again = made[index], made[index]
    if entry["question"] != again["question"] or entry["answer"] != again["answer"]:
        raise ValueError(
            "Expected param 'dataset' to make the same problem from the same seed and index, got "
            f"{data_set!r}, which does not: its answers could not be scored later"
        )
    return {
        "id": f"{data_set}-{index:06d}",
        "prompt": f"{entry['question']}\n\n{instruction}",
        "ground_truth": "" if entry["answer"] is None else str(entry["answer"]),
        "meta": {"dataset": data_set, "seed": seed, "index": index},
    }


def _made(params: dict[str, Any], seed: int) -> Any:
    for name in params:
        if name not in ("dataset", "config", "instruction"):
            raise ValueError(
                f"reasoning_gym has no parameter {name!r}; expected dataset, config or instruction"
            )
    create, known = _package()
    name, config = params.get("dataset"), params.get("config", {})
    if name not in known:
        raise ValueError(
            f"Expected param 'dataset' to be a data set of reasoning-gym, got {name!r}; known: "
            f"{', '.join(sorted(known))}"
        )
    if not isinstance(config, dict) or {"seed", "size"} & set(config):
        raise ValueError(
            "Expected param 'config' to be an object without seed and size, which the spec gives, got "
            f"{config!r}"
        )
    try:
        # An entry has the seed plus its index: seeds that are close to one another would share entries.
        return create(name, **config, seed=zlib.crc32(f"{name}:{seed}".encode()), size=2**31 - 1)
    except Exception as error:
        raise ValueError(f"Expected param 'config' to suit {name}, got {config!r}: {error}") from None


def _package() -> tuple[Any, Any]:
    try:
        package = import_module("reasoning_gym")
        factory = import_module("reasoning_gym.factory")
    except ImportError as error:
        raise BadRequest(
            "task.name",
            f"Expected the package reasoning-gym, which task reasoning_gym needs, found none ({error.name}); "
            f"run `{sys.executable} -m pip install reasoning-gym==0.1.25`, or choose another task",
        ) from None
    return package.create_dataset, factory.DATASETS


def _instruction(params: dict[str, Any]) -> str:
    instruction = params.get("instruction", INSTRUCTION)
    if not isinstance(instruction, str):
        raise ValueError(f"Expected param 'instruction' to be text, got {instruction!r}")
    return instruction
