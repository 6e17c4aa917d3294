"""The one reward: `w * verifier + (1 - w) * value / 9`, the judge alone where there is no verifier's word.

Where the judge compares the completions of a group, the win rate stands in place of `value / 9`.
With `grpo.normalise: apart` advantages are made of its two parts (see policy/apart.py), and not of it.

Where the judge gives no score, `grpo.when_unscored` says what happens: the verifier's word counts alone, or
the row has no reward. A row without a reward moves nothing. A missing verdict is never a 0: that would
teach the policy from an outage or from an unreadable reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gavel_train.contracts import Grade, RolloutRecordComparisons

WhenUnscored = Literal["verifier", "mask"]

HIGHEST_VALUE = 9.0


@dataclass(frozen=True)
class Opinion:
    """What the judge says of one rollout: a value, 0 to 9, or what came of comparing it; None: no word."""

    trace_keys: list[str]
    verdict: str
    score: int | None = None
    value: float | None = None
    comparisons: RolloutRecordComparisons | None = None

    @property
    def rewarded(self) -> float | None:
        """What the judge rewards it with, 0 to 9."""
        if self.comparisons is None or self.comparisons.win_rate is None:
            return self.value
        return HIGHEST_VALUE * self.comparisons.win_rate

    @classmethod
    def of(cls, grade: Grade) -> Opinion:
        """Return that of a verdict on one completion."""
        return cls(grade.trace_keys, grade.verdict, grade.score, grade.value)


@dataclass(frozen=True)
class Judged:
    """What is known of one rollout once its verdicts are in."""

    step: int
    group: int
    rollout: int
    prompt_id: str
    completion: str
    trace_keys: list[str]
    verdict: str
    score: int | None
    value: float | None
    comparisons: dict[str, Any] | None
    verifier: float | None
    hidden_verifier: float | None
    reward: float | None


def mixed_reward(
    verifier: float | None, value: float | None, *, verifier_weight: float, when_unscored: WhenUnscored
) -> float | None:
    """Return the reward, 0 to 1; None where neither judge nor verifier gives one that counts.

    Alone, the verifier's 0 is what a wrong completion gets that the judge scores 0, so a wrong completion
    gains nothing by making the judge ramble. At `verifier_weight` 1 the judge's verdict changes nothing, nor
    does its absence.
    """
    if verifier is not None and verifier_weight == 1:
        return verifier
    if value is None:
        alone = when_unscored == "verifier" and verifier_weight > 0
        return verifier if alone else None
    if verifier is None:
        return value / HIGHEST_VALUE
    return verifier_weight * verifier + (1 - verifier_weight) * value / HIGHEST_VALUE


def tie_at_most(verifier: float | None) -> float | None:
    """Return the value, 0 to 9, of a rollout whose comparisons have no word: a tie, or the verifier's mark.

    Wins within a group are half of its pairs. The verifier's 1 in their place would reward a right completion
    for being one that the judge cannot compare.
    """
    return None if verifier is None else HIGHEST_VALUE * min(0.5, verifier)


def as_record(judged: Judged) -> dict[str, Any]:
    """Return the fields of a RolloutRecord that are known before advantages are."""
    return dict(vars(judged))
