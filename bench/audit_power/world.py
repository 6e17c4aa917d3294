"""A world with known values: prompts, completions that are right or wrong, and a judge that errs.

Shape suffixes: G grades of prompts, T truths (wrong, right), S scores 0 to 9, N rows, P prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audit_power.effects import graded
from gavel_train.audit.sample import SCORES, UNKNOWN, Answers, Floats, Ints, Rows

# The first score that says "right".
PASSING = 5

# Scores of a verdict that says "right"; those of "wrong" mirror them. Each column of 10 adds up to 1.
_HIGH = (0.08, 0.12, 0.20, 0.30, 0.30)
SCORES_OF_LABEL = np.array([[*_HIGH[::-1], 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, *_HIGH]])

# Prompts have 1, 2, 3 and 4 rows in turn, scaled to the rows asked for.
_TURN = np.array([1, 2, 3, 4])


@dataclass(frozen=True)
class World:
    """Hard prompts have fewer right completions and a judge that errs more often, on both sides.

    `judge_right` is the probability that the judge's label is right, for wrong and for right completions, on
    the average over prompts. `right_icc` is how alike rows of a prompt are: that of four models' solutions to
    the test set of GSM8K.
    """

    right: float = 0.5
    judge_right: tuple[float, float] = (0.80, 0.85)
    right_icc: float = 0.35
    judge_icc: float = 0.2

    @cached_property
    def right_G(self) -> Floats:
        """Share of right completions by grade of difficulty, the hardest first."""
        return graded(self.right, self.right_icc)

    @cached_property
    def judge_right_TG(self) -> Floats:
        """Probability that the judge's label is right, by truth and grade of difficulty."""
        return np.stack([graded(share, self.judge_icc) for share in self.judge_right])

    @cached_property
    def joint_TS(self) -> Floats:
        """Population probability of each truth with each score of the judge."""
        truth_TG = np.stack([1 - self.right_G, self.right_G]) / len(self.right_G)
        says_right_TG = np.stack([1 - self.judge_right_TG[0], self.judge_right_TG[1]])
        right_T = (truth_TG * says_right_TG).sum(axis=1)
        label_TL = np.stack([truth_TG.sum(axis=1) - right_T, right_T], axis=1)
        return label_TL @ SCORES_OF_LABEL

    def rows(self, rng: np.random.Generator, prompts: int, rows: int) -> tuple[Rows, Answers]:
        """Rows of an audit, and the judge's verdicts on them."""
        prompt_N = np.repeat(np.arange(prompts), cluster_sizes(prompts, rows))
        grade_N = rng.integers(len(self.right_G), size=prompts)[prompt_N]
        truth_N = (rng.random(rows) < self.right_G[grade_N]).astype(np.int64)
        is_right_N = rng.random(rows) < self.judge_right_TG[truth_N, grade_N]
        label_N = np.where(is_right_N, truth_N, 1 - truth_N)
        score_N = draw(rng, SCORES_OF_LABEL[label_N])
        return Rows(prompt_N, truth_N), answers("judge", score_N)


def cluster_sizes(prompts: int, rows: int) -> Ints:
    """Rows of each prompt: they differ by a factor of up to 4, and their sum is `rows`."""
    weights = np.resize(_TURN, prompts)
    ends = np.round(np.cumsum(weights) / weights.sum() * rows).astype(np.int64)
    return np.diff(ends, prepend=0)


def draw(rng: np.random.Generator, probability_NS: Floats) -> Ints:
    """One outcome of each row, by its probabilities."""
    below_NS = np.cumsum(probability_NS, axis=1)
    # The sum of the probabilities may be 1 - 1e-16: the draw stays below it.
    drawn_N = rng.random(len(probability_NS)) * below_NS[:, -1]
    return (drawn_N[:, None] >= below_NS).sum(axis=1)


def answers(role: str, score_N: Ints) -> Answers:
    """Verdicts with these scores, as the gateway gives them; SCORES stands for a verdict without a score."""
    is_scored_N = score_N < SCORES
    value_N = np.where(is_scored_N, score_N, np.nan).astype(np.float64)
    return Answers(
        role=role,
        mode="file",
        kind_N=np.where(is_scored_N, "scored", "off_scale"),
        score_N=value_N,
        value_N=value_N,
        # Above one half from PASSING on, and in the order of the scores.
        p_pass_N=value_N / (SCORES - 1),
        label_N=np.where(is_scored_N, score_N >= PASSING, UNKNOWN).astype(np.int64),
        is_expectation_N=np.zeros(len(score_N), dtype=bool),
    )
