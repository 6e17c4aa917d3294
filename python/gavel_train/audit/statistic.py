"""The kinds of statistics that measures are, each with its point and its interval.

Completions of one prompt are alike, so the prompt, not the row, is the independent unit of every interval.
"""

from __future__ import annotations

from typing import Protocol

from gavel_train.audit.sample import Bools, Floats, Ints


class Interval(Protocol):
    """Bounds (None: these rows give none) and how they were made, or why there are none."""

    low: float | None
    high: float | None
    method: str


class Statistic(Protocol):
    """A number computed from rows; `point` is NaN where these rows do not define it."""

    point: float
    n: int
    prompts: int

    def interval(self, confidence: float) -> Interval: ...


# To write, each a frozen dataclass with a maker that takes per-row arrays:
#   Sums(sums_PK, value: [..., K] -> [...], n, scale="plain" | "fisher_z"): delete-one-prompt jackknife with t
#   Share(hits_N, among_N): Korn-Graubard
#   Ranked(prompt_N, value: weights/mask of rows -> float, n): for statistics that are no function of few sums per
#     prompt (Spearman, AUROC): exact delete-one jackknife up to some hundred prompts, delete-a-group above
#   Plain(point, n, prompts, method): no interval (speed)
__all__ = ["Bools", "Floats", "Interval", "Ints", "Statistic"]
