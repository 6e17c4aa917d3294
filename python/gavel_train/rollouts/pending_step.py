"""One step's completions on their way from an engine to the judge."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from gavel_train.contracts import JournalEntry, PromptRow
from gavel_train.judging.batch import JudgedBatch
from gavel_train.rollouts.adapters import Adapter
from gavel_train.rollouts.engine import Completion
from gavel_train.rollouts.journal import Journal, Place
from gavel_train.run import lifetime, progress

# How soon SIGTERM, or an error of the sampling thread, ends the wait for completions.
_POLL_S = 0.25
# Below this a server is not away; from then on the wait is said about once a second.
_AWAY_S = 5.0
_SAY_EVERY_S = 1.0

Stream = Generator[Completion, None, None]


class JournaledStep:
    """What the journal knows of a step, and where the step's other completions are written.

    `first_position` is that of this rank's first row in the step's batch; `adapter` is what they are
    sampled from.
    """

    def __init__(
        self,
        journal: Journal,
        step: int,
        first_position: int,
        num_generations: int,
        rows: Sequence[PromptRow],
        adapter: Adapter,
    ) -> None:
        self._journal = journal
        self._step = step
        self._first_position = first_position
        self._num_generations = num_generations
        self._rows = rows
        self._adapter = adapter
        self._adapter_steps: dict[int, int] = {}

    def known(
        self, journaled: dict[Place, JournalEntry], *, before_step: int | None = None
    ) -> list[Completion]:
        """Take the step's completions out of the journal.

        From `before_step` on this attempt has weights of its own: what later adapters sampled in another
        attempt came from other ones, and does not count.
        """
        found: list[Completion] = []
        for index, row in enumerate(self._rows):
            entry = journaled.pop(self._place(index), None)
            if entry is None or entry.prompt_id != row.id:
                continue
            if before_step is not None and entry.adapter_step >= before_step:
                continue
            self._adapter_steps[index] = entry.adapter_step
            found.append(Completion(index, entry.token_ids, entry.ended, entry.logprobs))
        return found

    def write(self, one: Completion, then: Callable[[], None]) -> None:
        """Write a completion; `then` is called once it is durable."""
        assert one.logprobs is not None
        self._adapter_steps[one.index] = self._adapter.step
        step, group, rollout = self._place(one.index)
        entry = JournalEntry(
            step=step,
            group=group,
            rollout=rollout,
            prompt_id=self._rows[one.index].id,
            adapter=self._adapter.name,
            adapter_step=self._adapter.step,
            adapter_sha256=self._adapter.sha256,
            token_ids=one.token_ids,
            logprobs=one.logprobs,
            ended=one.ended,
        )
        self._journal.write(entry, then)

    def check_rows(self, rows: Sequence[PromptRow]) -> None:
        """Raise RuntimeError unless the step was begun with these rows, in this order."""
        begun, asked = [[row.id for row in some] for some in (self._rows, rows)]
        if begun != asked:
            raise RuntimeError(f"step {self._step}: expected the prompts {asked}, found {begun} begun ahead")

    def age_of(self, index: int) -> int:
        """Return how many updates the adapter lacked that sampled a row, of those before this step."""
        return self._step - 1 - self._adapter_steps[index]

    def check(self) -> None:
        """Raise what ended the writing of the journal."""
        if self._journal.failed is not None:
            raise self._journal.failed

    def _place(self, index: int) -> Place:
        return self._step, *divmod(self._first_position + index, self._num_generations)


class PendingStep:
    """Hands the completions of `stream` to the judge as they end, in this thread or in one of its own.

    `rows` are the positions, among the step's rows, of what the stream yields; `known` are completions that
    need no sampling. With `journal`, a completion is durable before it is handed in.
    """

    def __init__(
        self,
        stream: Stream,
        rows: Sequence[int],
        batch: JudgedBatch,
        decode: Callable[[list[int]], str],
        *,
        known: Sequence[Completion] = (),
        journal: JournaledStep | None = None,
    ) -> None:
        self.batch = batch
        self.journal = journal
        self._stream = stream
        self._rows = rows
        self._decode = decode
        self._known = known
        self._handed_in: list[Completion] = []
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._cancelled = threading.Event()

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread = threading.Thread(target=self._run_in_thread, name="gavel-rollout", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Do all of it; ends early, with fewer completions, where SIGTERM arrives."""
        for one in self._known:
            self._hand_in(one)
        with closing(self._stream) as stream:
            for one in stream:
                if self._cancelled.is_set():
                    return
                one = replace(one, index=self._rows[one.index])
                if self.journal is None:
                    self._hand_in(one)
                else:
                    self.journal.write(one, partial(self._hand_in, one))
        while self.journal is not None and not self._complete() and not self._over():
            self.journal.check()
            time.sleep(0.001)

    def completions(self, away_s: Callable[[], float] = lambda: 0.0) -> list[Completion]:
        """Wait for the step's completions; return them in the order of their rows.

        Raises what ended the sampling. Where SIGTERM arrives it returns those that are there. `away_s` says
        for how long the servers have been away; that wait is reported, since it is no hang.
        """
        said_at = 0.0
        while self._thread is not None and self._thread.is_alive() and not lifetime.stop_requested():
            self._thread.join(_POLL_S)
            now = time.monotonic()
            if away_s() > _AWAY_S and now - said_at > _SAY_EVERY_S:
                said_at = now
                progress.waiting("policy", away_s())
        if self._error is not None:
            raise self._error
        return sorted(self._handed_in, key=lambda one: one.index)

    def cancel(self) -> None:
        """Give the step up: no further completion is handed in, and no call is awaited."""
        self._cancelled.set()
        self.batch.cancel()

    def _run_in_thread(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self._error = error

    def _hand_in(self, one: Completion) -> None:
        if self._cancelled.is_set():
            return
        self.batch.hand_in(one.index, self._decode(one.token_ids))
        self._handed_in.append(one)

    def _complete(self) -> bool:
        return len(self._handed_in) == len(self._known) + len(self._rows)

    def _over(self) -> bool:
        return self._cancelled.is_set() or lifetime.stop_requested()
