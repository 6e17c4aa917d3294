"""The numbers of a verdict that a file brings, by the rule of `src/judging/value.ts` and `digits.ts`.

test/fixtures/verdict-numbers.json tests both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A verdict says "right" where more than this share of the probability is at or above the threshold.
HALF = 0.5
HIGHEST = 9.0
# Rounding to a few digits moves the sum of ten probabilities by less than this.
_SUM_TOLERANCE = 1e-3
# What adds up this well is left as it is, so that the verdicts of a gateway keep their very numbers.
_EXACT = 1e-9


@dataclass(frozen=True)
class Numbers:
    """Most probable digit, value (an expectation or the score), and mass at or above the threshold."""

    score: int
    value: float
    is_expectation: bool
    p_pass: float


def numbers_of_score(score: int, threshold: int) -> Numbers:
    """Return the numbers of a verdict of which the digit alone is known."""
    return Numbers(score, float(score), is_expectation=False, p_pass=1.0 if score >= threshold else 0.0)


def numbers_of_distribution(distribution: Sequence[float], score: int | None, threshold: int) -> Numbers:
    """Return the numbers of ten probabilities; of tied digits the score is that given, else the lowest.

    Raises ValueError where they are no probabilities, do not add up to 1, or make `score` less probable than
    another digit.
    """
    odd = next((share for share in distribution if not 0 <= share <= 1), None)
    if odd is not None:
        raise ValueError(f"distribution: expected probabilities from 0 to 1, found {odd:.6g}")
    total = _sum(distribution)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(
            f"distribution: expected ten probabilities that add up to 1, found a sum of {total:.6g}"
        )
    shares = distribution if abs(total - 1) <= _EXACT else [share / total for share in distribution]
    top = max(shares)
    best = shares.index(top)
    if score is not None and shares[score] != top:
        raise ValueError(
            f"score: expected {best}, the most probable digit of the distribution, found {score}"
        )
    return Numbers(
        score=best if score is None else score,
        value=min(HIGHEST, _sum(share * digit for digit, share in enumerate(shares))),
        is_expectation=True,
        p_pass=min(1.0, _sum(shares[threshold:])),
    )


def _sum(shares: Iterable[float]) -> float:
    """Add from left to right, as the gateway does: `sum` rounds otherwise, and one half is a border."""
    total = 0.0
    for share in shares:
        total += share
    return total
