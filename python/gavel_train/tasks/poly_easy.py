"""Task `poly_easy`: procedural easy polynomial problems with an exact verifier.

Kinds: evaluate, add, expand, differentiate, integer roots. The demo models know the default ranges.
"""

import difflib
import random
from pathlib import Path
from typing import Any

from gavel_train.tasks.poly_easy_problems import DEFAULT_KINDS, DEFAULT_RANGES, Problem, Ranges, draw
from gavel_train.tasks.poly_easy_verifier import final_answer, verify
from gavel_train.tasks.splits import SPLITS
from gavel_train.tasks.verifiers.verifier import Comparison

__all__ = ["SPLITS", "make_splits", "verifier_of", "verify"]

# Draws per wanted row before a split counts as impossible to fill: random draws from a space that is 95% used
# need about 20 tries for a fresh prompt.
_TRIES_PER_ROW = 200


def make_splits(
    params: dict, sizes: dict[str, int], seed: int, root: Path, path: Path | None = None
) -> dict[str, list[dict]]:
    """Draw the splits `train`, `eval` and `audit`, with no prompt in two places.

    `params`: `kinds` (kind -> weight) and the ranges `lead`, `coefficient`, `constant`, `x`, `slope`, `root`,
    each `[low, high]`, inclusive; 0 is never drawn. `sizes`: rows per split. `root`, `path`: unused.
    Raises ValueError naming the param that is unknown or out of range, or the split that cannot be filled.
    """
    kinds, ranges = _kinds(params), _ranges(params)
    unknown = set(sizes) - set(SPLITS)
    if unknown:
        raise ValueError(
            f"Expected sizes of {', '.join(SPLITS)}, got {_unknown(sorted(unknown)[0], list(SPLITS))}"
        )
    rng = random.Random(f"poly_easy:{seed}")
    seen: set[str] = set()
    return {split: _fill(split, sizes.get(split, 0), kinds, ranges, rng, seen) for split in SPLITS}


def verifier_of(params: dict) -> Comparison:
    """Return the check of a polynomial; no param changes it."""
    return Comparison(verify, lambda completion: final_answer(completion) or None)


def _fill(
    split: str, size: int, kinds: dict[str, float], ranges: Ranges, rng: random.Random, seen: set[str]
) -> list[dict]:
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"Expected size of split {split!r} to be a whole number from 0, got {size!r}")
    names, weights = list(kinds), list(kinds.values())
    rows: list[dict] = []
    for _ in range(size * _TRIES_PER_ROW):
        if len(rows) == size:
            break
        problem = draw(rng.choices(names, weights)[0], ranges, rng)
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            rows.append(_row(split, len(rows), problem))
    if len(rows) < size:
        raise ValueError(
            f"Split {split!r} cannot be filled: {size} distinct prompts wanted, {len(rows)} found beyond "
            "those of earlier splits; widen the ranges in params or ask for fewer rows"
        )
    return rows


def _row(split: str, index: int, problem: Problem) -> dict[str, Any]:
    return {
        "id": f"{split}-{index:05d}",
        "prompt": problem.prompt,
        "ground_truth": problem.answer,
        "meta": {"kind": problem.kind, "numbers": list(problem.numbers)},
    }


def _kinds(params: dict) -> dict[str, float]:
    kinds = params.get("kinds", DEFAULT_KINDS)
    if not isinstance(kinds, dict) or not kinds:
        raise ValueError(f"Expected param 'kinds' to map kinds to weights, got {kinds!r}")
    for kind, weight in kinds.items():
        if kind not in DEFAULT_KINDS:
            raise ValueError(
                f"Expected param 'kinds' to name known kinds, got {_unknown(kind, list(DEFAULT_KINDS))}"
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise ValueError(f"Expected param 'kinds.{kind}' to be a weight from 0, got {weight!r}")
    if not any(kinds.values()):
        raise ValueError("Expected param 'kinds' to have a weight above 0, got only zeros")
    return kinds


def _ranges(params: dict) -> Ranges:
    ranges = dict(DEFAULT_RANGES)
    for name, bounds in params.items():
        if name == "kinds":
            continue
        if name not in DEFAULT_RANGES:
            raise ValueError(f"Unknown param {_unknown(name, ['kinds', *DEFAULT_RANGES])}")
        ranges[name] = _bounds(name, bounds)
    return ranges


def _bounds(name: str, bounds: object) -> tuple[int, int]:
    pair = list(bounds) if isinstance(bounds, list | tuple) else []
    if len(pair) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in pair):
        raise ValueError(f"Expected param {name!r} to be [low, high] in whole numbers, got {bounds!r}")
    low, high = pair
    if not -1000 <= low <= high <= 1000:
        raise ValueError(
            f"Expected param {name!r} to be [low, high] with -1000 <= low <= high <= 1000, got {bounds!r}"
        )
    if low == high == 0:
        raise ValueError(f"Expected param {name!r} to hold a number other than 0, got {bounds!r}")
    return low, high


def _unknown(name: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
    return f"{name!r}; nearest: {near[0]!r}, known: {', '.join(known)}"
