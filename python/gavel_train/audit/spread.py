"""How much single rows vary: what a plan without a pilot knows of a measure.

Each is the standard deviation that one independent row adds, on the measure's own scale, where the measure
has the expected value: the standard error of n independent rows is this over the root of n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# How the interval of a measure is made: exact, as of a share of rows, or with t on one of three scales.
Scale = Literal["exact", "logit", "fisher_z", "plain"]

# Fourth moment of standardized scores: 1 for two equally likely labels, 1.8 for scores spread evenly.
_LABELS = 1.0
_SCORES = 1.8

# What a plan assumes without other figures: labels of judge and grader that differ, and rows whose
# label by the judge is wrong.
_DIFFERING = 0.2
_JUDGE_WRONG = 0.2


@dataclass(frozen=True)
class Spread:
    """Standard deviation of one row as a function of the expected value.

    `among` is the share of the audited rows that the measure is computed from; `assumes` says in words what
    is taken for granted.
    """

    scale: Scale
    of: Callable[[float], float]
    among: float = 1.0
    assumes: str | None = None


def share(among: float = 1.0, assumes: str | None = None) -> Spread:
    """Of a share: that of a yes or no."""
    return Spread("exact", _yes_or_no, among, assumes)


def share_of_one_label() -> Spread:
    """Of a share of the right, or of the wrong completions."""
    return share(0.5, "half of the completions are right")


def share_where_judge_errs() -> Spread:
    """Of a share of the rows that the judge gets wrong."""
    return share(_JUDGE_WRONG, f"the judge is wrong on {_JUDGE_WRONG:.0%} of the rows")


def share_where_judge_is_right() -> Spread:
    """Of a share of the rows that the judge gets right."""
    return share(1 - _JUDGE_WRONG, f"the judge is wrong on {_JUDGE_WRONG:.0%} of the rows")


def balanced_accuracy() -> Spread:
    """Of the mean of two shares that are over half of the rows each, and equal."""
    assumes = "half of the completions are right, and both kinds are recognized equally often"
    return Spread("logit", _yes_or_no, assumes=assumes)


def kappa_of_scores() -> Spread:
    """Of a quadratic weighted kappa, or a correlation of scores."""
    return Spread(
        "fisher_z", _kappa(_SCORES), assumes="scores are spread evenly; where they differ, they are unrelated"
    )


def kappa_of_labels() -> Spread:
    """Of a kappa of two labels."""
    return Spread(
        "fisher_z",
        _kappa(_LABELS),
        assumes="both labels are equally common; where they differ, they are unrelated",
    )


def difference_of_shares() -> Spread:
    """Of the difference of two shares over the same rows, which differ on few of them."""
    return Spread(
        "plain",
        lambda value: math.sqrt(max(_DIFFERING, abs(value)) - value**2),
        assumes=f"half of the completions are right, and the labels differ on {_DIFFERING:.0%} of the rows",
    )


def auroc() -> Spread:
    """Of the area under the ROC curve, with as many right as wrong completions (Hanley and McNeil 1982).

    Theirs is the variance for values that spread exponentially. It is above that of a contestant that says
    "right" or "wrong" and nothing between, whose area is its balanced accuracy.
    """
    assumes = "half of the completions are right, and values spread as Hanley and McNeil (1982) assume"
    return Spread("logit", _hanley_mcneil, assumes=assumes)


def _hanley_mcneil(area: float) -> float:
    two_right, two_wrong = area / (2 - area), 2 * area**2 / (1 + area)
    return math.sqrt(2 * (two_right + two_wrong - 2 * area**2))


def _yes_or_no(share: float) -> float:
    return math.sqrt(share * (1 - share))


def _kappa(fourth_moment: float) -> Callable[[float], float]:
    """Spread where both say the same with probability kappa, and else draw from the same scores apart.

    With standardized scores x and y a row's influence is x y - kappa (x^2 + y^2) / 2.
    """

    def spread(kappa: float) -> float:
        same = kappa * (1 - kappa) ** 2 * fourth_moment
        apart = (1 - kappa) * (1 + kappa**2 * (fourth_moment + 1) / 2)
        return math.sqrt(same + apart)

    return spread
