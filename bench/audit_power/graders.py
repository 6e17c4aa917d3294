"""Planted graders: with a probability of its prompt a grader does one thing, else another.

Shape suffixes: T truths, S the judge's score, O outcomes (scores 0 to 9, then no score), N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize

from audit_power.effects import graded
from audit_power.world import PASSING, SCORES_OF_LABEL, World, answers, draw
from gavel_train.audit.sample import SCORES, Answers, Floats, Rows, Sample

OUTCOMES = SCORES + 1


@dataclass(frozen=True)
class Grader:
    """A grader that does `one` with probability `share`, which differs from prompt to prompt, else `other`.

    Both are probabilities of outcomes by truth and by the judge's score, [T, S, O].
    """

    world: World
    one: Floats
    other: Floats
    share: float = 1.0
    icc: float = 0.25

    @cached_property
    def joint_TSO(self) -> Floats:
        """Population probability of each truth, score of the judge and outcome of the grader."""
        mixed_TSO = self.share * self.one + (1 - self.share) * self.other
        return self.world.joint_TS[..., None] * mixed_TSO

    @cached_property
    def share_G(self) -> Floats:
        """The share by grade of the prompt; these grades are independent of difficulty."""
        return graded(self.share, self.icc)

    def sample(self, rng: np.random.Generator, prompts: int, rows: int) -> Sample:
        """What an audit of this grader sees."""
        drawn, judge = self.world.rows(rng, prompts, rows)
        return Sample(drawn, self.answers(rng, drawn, judge, prompts), judge)

    def answers(self, rng: np.random.Generator, rows: Rows, judge: Answers, prompts: int) -> Answers:
        """The grader's verdicts on rows that the judge has judged."""
        share_N = self.share_G[rng.integers(len(self.share_G), size=prompts)][rows.prompt_N]
        given = (rows.truth_N, judge.score_N.astype(np.int64))
        does_one_N = rng.random(len(rows)) < share_N
        probability_NO = np.where(does_one_N[:, None], self.one[given], self.other[given])
        return answers("grader", draw(rng, probability_NO))


def copies() -> Floats:
    """The judge's score."""
    return np.stack([np.eye(SCORES, OUTCOMES)] * 2)


def draws(probability_S: Floats) -> Floats:
    """A score by these probabilities, whatever the row is."""
    return np.tile(np.append(probability_S, 0.0), (2, SCORES, 1))


def gives_no_score() -> Floats:
    """A verdict without a score."""
    return np.tile(np.append(np.zeros(SCORES), 1.0), (2, SCORES, 1))


def judges(right_T: tuple[float, float]) -> Floats:
    """A judge of its own, whose label is right with these probabilities for wrong and right completions."""
    says_right_T = (1 - right_T[0], right_T[1])
    label_TL = np.array([[1 - says_right, says_right] for says_right in says_right_T])
    return np.repeat(np.pad(label_TL @ SCORES_OF_LABEL, ((0, 0), (0, 1)))[:, None], SCORES, axis=1)


def is_off_by_one() -> Floats:
    """The judge's score plus or minus one, within the scale."""
    step = np.eye(SCORES, OUTCOMES, k=1) + np.eye(SCORES, OUTCOMES, k=-1)
    step[:, SCORES] = 0.0
    return np.stack([step / step.sum(axis=1, keepdims=True)] * 2)


def agreeing(world: World, share: float) -> Grader:
    """The judge's score, else an independent draw from the scores that the judge gives: kappa is `share`."""
    return Grader(world, copies(), draws(world.joint_TS.sum(axis=0)), share)


def erring(world: World, right: float, copied: float = 0.7, icc: float = 0.25) -> Grader:
    """The judge's score, else its own label; prompts differ in how often it is right."""

    def else_says(right_T: tuple[float, float]) -> Floats:
        return copied * copies() + (1 - copied) * judges(right_T)

    return Grader(world, else_says((1.0, 1.0)), else_says((0.0, 0.0)), right, icc)


def copying_errors(world: World, copied: float = 0.8) -> Grader:
    """The judge's score, else that of a second judge as good: no difference in the population."""
    right_T = (
        world.joint_TS[0, :PASSING].sum() / world.joint_TS[0].sum(),
        world.joint_TS[1, PASSING:].sum() / world.joint_TS[1].sum(),
    )
    return Grader(world, copies(), judges(right_T), copied)


def lenient(world: World, share: float) -> Grader:
    """Says "right" of every right completion, and of a wrong one with this probability; else as the judge."""
    says_right, judged = judges((0.0, 1.0)), copies()
    return Grader(world, says_right, np.stack([judged[0], says_right[1]]), share)


def scoring(world: World, share: float) -> Grader:
    """The judge's score, else no score."""
    return Grader(world, copies(), gives_no_score(), share)


def tuned(make: Callable[[float], Grader], value: Callable[[Floats], float], target: float) -> Grader:
    """The grader among `make(0)` to `make(1)` whose population value is the target."""
    found = optimize.root_scalar(lambda x: value(make(x).joint_TSO) - target, bracket=(0.0, 1.0), xtol=1e-12)
    return make(float(found.root))
