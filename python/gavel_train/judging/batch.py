"""A step's rollouts on their way to the judge and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from gavel_train.contracts import Grade, PromptRow
from gavel_train.judging.pairs import Pair
from gavel_train.judging.reward import Judged, Opinion
from gavel_train.run import lifetime, progress

# How soon SIGTERM ends the wait for a judge that is slow or away.
_STOP_POLL_S = 0.25
# Below this a judge is not slow; from then on the wait is said about once a second.
_SLOW_S = 5.0
_SAY_EVERY_S = 1.0


class Desk(Protocol):
    """What a batch needs of the desk of its run."""

    def submit(self, step: int, position: int, row: PromptRow, completion: str) -> Future[Grade]:
        """Start grading one rollout."""
        ...

    def compare(
        self, step: int, group: int, pair: Pair, row: PromptRow, completion: str, opponent: str
    ) -> Future[Grade]:
        """Start comparing two rollouts of a group."""
        ...

    def judged(self, step: int, position: int, row: PromptRow, completion: str, opinion: Opinion) -> Judged:
        """Return a rollout with its verdict and reward."""
        ...

    def refuse_nonsense(self, grades: Sequence[Grade]) -> None:
        """Raise BadRequest once several batches in a row had not one score."""
        ...


class JudgedBatch:
    """A batch of rollouts that are handed in one by one, as they end, and awaited together.

    Left by an exception, it cancels the calls that have not ended.
    """

    def __init__(self, desk: Desk, step: int, first_position: int, rows: Sequence[PromptRow]) -> None:
        self._desk = desk
        self._step = step
        self._first_position = first_position
        self._rows = rows
        self._texts: dict[int, str] = {}
        self._graded: dict[int, Future[Grade]] = {}

    def hand_in(self, index: int, completion: str) -> None:
        """Start grading the rollout of row `index`; returns at once."""
        self._texts[index] = completion
        place = self._step, self._first_position + index
        self._graded[index] = self._desk.submit(*place, self._rows[index], completion)

    def calls(self) -> list[Future[Grade]]:
        """Return the calls that were started, in the order of the rows."""
        return [call for _, call in sorted(self._graded.items())]

    def opinion(self, index: int) -> Opinion:
        """Return what the judge says of the rollout of row `index`, once all calls have ended."""
        return Opinion.of(self._graded[index].result())

    def collect(self, any_rank: Callable[[bool], bool] = bool) -> list[Judged]:
        """Wait for the last verdict; return the rollouts in the order of their rows.

        Raises what ended a call (JudgeAway, say), and StopAtBoundary where SIGTERM has arrived: a judge that
        is away must not cost the steps since the last commit, and completions that a notice has cut off must
        not be learned from. `any_rank` tells whether any rank says so; they all have to raise together.
        """
        if any_rank(lifetime.stop_requested()):
            raise lifetime.StopAtBoundary
        _wait_for(self.calls())
        if any_rank(lifetime.stop_requested()):
            raise lifetime.StopAtBoundary
        self._desk.refuse_nonsense([call.result() for call in self.calls()])
        return [
            self._desk.judged(
                self._step, self._first_position + index, row, self._texts[index], self.opinion(index)
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
        for call in self.calls():
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
