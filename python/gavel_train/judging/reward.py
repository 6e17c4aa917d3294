"""The one reward: `w * verifier + (1 - w) * value / 9`, the judge alone where there is no verifier's word.

Where the judge gives no score, `grpo.when_unscored` says what happens: the verifier's word counts alone, or
the row has no reward. A row without a reward moves nothing. A missing verdict is never a 0: that would
teach the policy from an outage or from an unreadable reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Literal

from gavel_train.contracts import Grade, GradeRequest, PromptRow, Spec
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import Mode
from gavel_train.run import lifetime, progress
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks import Verify
from gavel_train.tasks.unlabelled import with_truth

WhenUnscored = Literal["verifier", "mask"]

HIGHEST_VALUE = 9.0
# One unlucky step may have no readable verdict; three in a row are a judge or a rubric that does not fit.
_BATCHES_WITHOUT_SCORE = 3
# How soon SIGTERM ends the wait for a judge that is slow or away.
_STOP_POLL_S = 0.25
# Below this a judge is not slow; from then on the wait is said about once a second.
_SLOW_S = 5.0
_SAY_EVERY_S = 1.0
_EXPECTED: dict[Mode, str] = {
    "reasoned": "a reply that ends in 'Score: N'",
    "single_token": "one digit",
    "choice": "one of the rubric's labels",
}


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


class RewardDesk:
    """Has completions judged, and turns the verdicts into rewards."""

    def __init__(self, client: GatewayClient, spec: Spec, verify: Verify) -> None:
        self._client = client
        self._run = spec.run
        self._mode: Mode = spec.judge.mode
        self._num_generations = spec.grpo.num_generations
        self._weight = spec.grpo.verifier_weight
        self._when_unscored: WhenUnscored = spec.grpo.when_unscored
        self._verify = verify
        self._without_score = 0

    def open(self, step: int, first_position: int, rows: Sequence[PromptRow]) -> JudgedBatch:
        """Begin a batch of rollouts, one per row; `first_position` is counted over all ranks."""
        return JudgedBatch(self, step, first_position, rows)

    def submit(self, step: int, position: int, row: PromptRow, completion: str) -> Future[Grade]:
        """Start grading one rollout; returns at once."""
        group, rollout = divmod(position, self._num_generations)
        return self._client.submit(
            GradeRequest(
                role="judge",
                mode=self._mode,
                occasion=f"grpo:{step}:{group}:{rollout}",
                prompt=row.prompt,
                completion=completion,
                ground_truth=row.ground_truth,
            )
        )

    def judged(self, step: int, position: int, row: PromptRow, completion: str, grade: Grade) -> Judged:
        """Return a rollout with its verdict and reward."""
        verifier = self._verify(completion, row)
        hidden = with_truth(row)
        group, rollout = divmod(position, self._num_generations)
        return Judged(
            step=step,
            group=group,
            rollout=rollout,
            prompt_id=row.id,
            completion=completion,
            trace_keys=grade.trace_keys,
            verdict=grade.verdict,
            score=grade.score,
            value=grade.value,
            verifier=verifier,
            # For people alone: the reward knows nothing of it.
            hidden_verifier=None if hidden is None else self._verify(completion, hidden),
            reward=mixed_reward(
                verifier, grade.value, verifier_weight=self._weight, when_unscored=self._when_unscored
            ),
        )

    def refuse_nonsense(self, grades: Sequence[Grade]) -> None:
        """Raise BadRequest once several batches in a row had not one score: that teaches no grader."""
        scored = any(grade.score is not None for grade in grades)
        self._without_score = 0 if scored else self._without_score + 1
        if self._without_score < _BATCHES_WITHOUT_SCORE:
            return
        grade = grades[0]
        expected = _EXPECTED[self._mode]
        raise BadRequest(
            "judge",
            # This message goes into Temporal's history, which holds no text of a model.
            f"Expected {expected}, got no score in {self._without_score} steps in a row; the last verdict "
            f"was {grade.verdict}. Its reply: `gavel traces {self._run} --key {grade.trace_keys[0][:12]}`",
        )


class JudgedBatch:
    """A batch of rollouts that are handed in one by one, as they end, and awaited together.

    Left by an exception, it cancels the calls that have not ended.
    """

    def __init__(self, desk: RewardDesk, step: int, first_position: int, rows: Sequence[PromptRow]) -> None:
        self._desk = desk
        self._step = step
        self._first_position = first_position
        self._rows = rows
        self._handed_in: dict[int, tuple[str, Future[Grade]]] = {}

    def hand_in(self, index: int, completion: str) -> None:
        """Start grading the rollout of row `index`; returns at once."""
        place = self._step, self._first_position + index
        self._handed_in[index] = completion, self._desk.submit(*place, self._rows[index], completion)

    def collect(self, any_rank: Callable[[bool], bool] = bool) -> list[Judged]:
        """Wait for the last verdict; return the rollouts in the order of their rows.

        Raises what ended a call (JudgeAway, say), and StopAtBoundary where SIGTERM has arrived: a judge that
        is away must not cost the steps since the last commit, and completions that a notice has cut off must
        not be learned from. `any_rank` tells whether any rank says so; they all have to raise together.
        """
        if any_rank(lifetime.stop_requested()):
            raise lifetime.StopAtBoundary
        _wait_for([call for _, call in self._handed_in.values()])
        if any_rank(lifetime.stop_requested()):
            raise lifetime.StopAtBoundary
        grades = [self._handed_in[index][1].result() for index in range(len(self._rows))]
        self._desk.refuse_nonsense(grades)
        return [
            self._desk.judged(
                self._step, self._first_position + index, row, self._handed_in[index][0], grades[index]
            )
            for index, row in enumerate(self._rows)
        ]

    def __enter__(self) -> JudgedBatch:
        """Return the batch itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        """Cancel what has not ended, where an exception leaves the batch."""
        if kind is not None:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the calls that have not ended."""
        for _, call in list(self._handed_in.values()):
            call.cancel()


def _wait_for(calls: Sequence[Future[Grade]]) -> None:
    """Wait until all calls have ended, or one has failed, or SIGTERM has arrived."""
    pending: set[Future[Grade]] = set(calls)
    began = said_at = time.monotonic()
    while pending and not lifetime.stop_requested():
        done, pending = wait(pending, timeout=_STOP_POLL_S)
        if any(call.exception() is not None for call in done):
            return
        now = time.monotonic()
        # The wait for a slow judge is reported, because the worker takes a silent trainer for hung.
        if pending and now - began > _SLOW_S and now - said_at > _SAY_EVERY_S:
            said_at = now
            progress.waiting("judge", now - began)


def as_record(judged: Judged) -> dict[str, Any]:
    """Return the fields of a RolloutRecord that are known before advantages are."""
    return dict(vars(judged))
