"""Verdicts of gates: decided on the bound of an interval, never on the point."""

import math
from collections.abc import Sequence
from typing import Any, Literal

from gavel_train.contracts import GateResult, GateSpec, Measure

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]

NO_MEASURE = Measure(point=None, low=None, high=None, n=0)


def decide(value: Measure, at_least: float) -> Verdict:
    """PASS: even the low bound is good enough. FAIL: not even the high bound is. Else: unknown."""
    if value.low is not None and value.low >= at_least:
        return "PASS"
    if value.high is not None and value.high < at_least:
        return "FAIL"
    return "INCONCLUSIVE"


def rows_needed(value: Measure, at_least: float) -> int | None:
    """More rows that would settle an open gate if the point were true; None: no number can be given.

    The distance from point to bound shrinks with the square root of n.
    """
    if value.point is None or value.low is None or value.high is None or value.point == at_least:
        return None
    width = value.point - value.low if value.point > at_least else value.high - value.point
    return max(1, math.ceil(value.n * ((width / (value.point - at_least)) ** 2 - 1)))


def find_measure(audit: dict[str, Any], path: str) -> Measure:
    """The measure at a dotted path of an audit; one with n 0 where a part of the path is null."""
    node: Any = audit
    for name in path.split("."):
        if node is None:
            return NO_MEASURE
        node = node[name]
    return NO_MEASURE if node is None else Measure.model_validate(node)


def judge_gates(audit: dict[str, Any], gates: Sequence[GateSpec]) -> list[GateResult]:
    """Every gate of the spec with its value and verdict."""
    results = []
    for gate in gates:
        value = find_measure(audit, gate.measure)
        verdict = decide(value, gate.at_least)
        results.append(
            GateResult(
                measure=gate.measure,
                at_least=gate.at_least,
                value=value,
                verdict=verdict,
                rows_needed=rows_needed(value, gate.at_least) if verdict == "INCONCLUSIVE" else None,
            )
        )
    return results


def overall(gates: Sequence[GateResult]) -> Verdict:
    """FAIL if any gate fails, PASS if all pass; an audit without gates settles nothing."""
    verdicts = {gate.verdict for gate in gates}
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"
