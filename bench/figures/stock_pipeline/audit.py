"""Stage 3 as a user writes it: grader and base grade the judge's rows through bare vLLM, and are compared.

`python audit.py INPUTS ROOT OUT`, after sft.py. OUT/audit.json gets agreement with the judge and with the
exact check, without intervals.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from inputs import Inputs, Row, from_arguments, read_lines
from served import Server, stop


def kappa(left: Sequence[int], right: Sequence[int]) -> float | None:
    """Return Cohen's kappa with quadratic weights over the ten scores (Cohen, 1968)."""
    seen = np.zeros((10, 10))
    np.add.at(seen, (np.array(left, dtype=int), np.array(right, dtype=int)), 1)
    weights = (np.arange(10)[:, None] - np.arange(10)) ** 2
    chance = np.outer(seen.sum(1), seen.sum(0)) / max(1, seen.sum())
    by_chance = float((weights * chance).sum())
    return 1 - float((weights * seen).sum()) / by_chance if by_chance else None


def compared(rows: Sequence[Row], graded: Sequence[Row], threshold: int) -> Row:
    """Return how scores agree with the judge's, and passes with the exact check."""
    both = [
        (row, one["score"])
        for row, one in zip(rows, graded, strict=True)
        if one["score"] is not None and row["judge"] is not None
    ]
    return {
        "scored": sum(one["score"] is not None for one in graded) / len(graded),
        "kappa": kappa([row["judge"] for row, _ in both], [score for _, score in both]),
        "exact": float(np.mean([row["judge"] == score for row, score in both])) if both else None,
        "truth": float(np.mean([(score >= threshold) == row["verifier"] for row, score in both]))
        if both
        else None,
    }


def main() -> None:
    """Serve both, ask, compare, write."""
    inputs, _ = from_arguments()
    audit = inputs.spec["audit"]
    asked = [("grader", mode) for mode in audit["grader_modes"]]
    models = {"grader": str(inputs.out / "grader/merged")}
    if audit["base"]:
        asked.append(("base", audit["headline_mode"]))
        models["base"] = inputs.model("base")
    servers = {role: Server(inputs, role, model) for role, model in models.items()}
    try:
        for server in servers.values():
            server.wait()
        inputs.done("serve")
        rows = read_lines(inputs.out / "audit-rows.jsonl")
        pairs = [(row["prompt"], row["completion"]) for row in rows]
        found = {
            f"{role}.{mode}": compared(rows, servers[role].grade_all(pairs, mode), _threshold(inputs))
            for role, mode in asked
        }
        (inputs.out / "audit.json").write_text(json.dumps(found, indent=2) + "\n")
        calls = sum(server.calls for server in servers.values())
        tokens = sum(server.completion_tokens for server in servers.values())
        inputs.done("grade", calls=calls, completion_tokens=tokens)
    finally:
        stop(*servers.values())
    inputs.done("stop")


def _threshold(inputs: Inputs) -> int:
    return int(inputs.rubric["threshold"])


if __name__ == "__main__":
    main()
