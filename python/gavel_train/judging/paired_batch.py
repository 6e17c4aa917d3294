"""A step's rollouts where the judge compares those of a group: each is rewarded by how often it wins.

Ranking within a group instead of scoring one by one is what RULER does in one call (OpenPipe ART, 2025); here
each pair is a call in either order, so that a position wins nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from gavel_train.contracts import Grade, PromptRow, RolloutRecordComparisons
from gavel_train.judging.batch import Desk, JudgedBatch
from gavel_train.judging.pairs import GroupPairs, Pair
from gavel_train.judging.reward import Opinion

_EVEN = 0.5


class PairedBatch(JudgedBatch):
    """Starts the comparison of two rollouts as soon as both have ended.

    Rows are those of whole groups. Two completions with the same text tie, and nobody is asked about them.
    """

    def __init__(
        self, desk: Desk, step: int, first_position: int, rows: Sequence[PromptRow], pairs: GroupPairs
    ) -> None:
        super().__init__(desk, step, first_position, rows)
        if first_position % pairs.size or len(rows) % pairs.size:
            raise RuntimeError(
                f"step {step}: expected rows of whole groups of {pairs.size}, found {len(rows)} rows from "
                f"{first_position} on"
            )
        self._pairs = pairs
        self._first_group = first_position // pairs.size
        self._compared: dict[tuple[int, Pair], Future[Grade]] = {}
        # Completions of the journal and those of a server are handed in by different threads.
        self._lock = threading.Lock()

    def hand_in(self, index: int, completion: str) -> None:
        """Start comparing the rollout of row `index` with opponents that have ended; returns at once."""
        group, rollout = divmod(index, self._pairs.size)
        with self._lock:
            self._texts[index] = completion
            for other in self._pairs.of(rollout):
                pair = (min(rollout, other), max(rollout, other))
                one, another = (self._texts.get(group * self._pairs.size + each) for each in pair)
                if one is None or another is None or one == another:
                    continue
                place = self._step, self._first_group + group, pair
                self._compared[group, pair] = self._desk.compare(*place, self._rows[index], one, another)

    def calls(self) -> list[Future[Grade]]:
        """Return the calls that were started, in the order of groups and pairs."""
        with self._lock:
            return [call for _, call in sorted(self._compared.items(), key=lambda item: item[0])]

    def opinion(self, index: int) -> Opinion:
        """Return the win rate of the rollout of row `index`.

        It has one where more than half of the pairs that were asked about have a preference; else the verdict
        is the kind that most of the others have. Equal texts tie.
        """
        group, rollout = divmod(index, self._pairs.size)
        wins: list[float] = []
        unscored: list[str] = []
        keys: list[str] = []
        equal = order_dependent = 0
        for other in self._pairs.of(rollout):
            call = self._compared.get((group, (min(rollout, other), max(rollout, other))))
            if call is None:
                wins.append(_EVEN)
                equal += 1
                continue
            grade = call.result()
            keys += grade.trace_keys
            preference = grade.preference
            if preference is None:
                unscored.append(grade.verdict)
                continue
            wins.append(preference.win if rollout < other else 1 - preference.win)
            order_dependent += preference.order in ("first", "second")
        # Equal texts tie, but say nothing of whether the judge can read them.
        compared = len(wins) - equal
        known = not unscored or compared > len(unscored)
        return Opinion(
            trace_keys=keys,
            verdict="scored" if known else max(dict.fromkeys(unscored), key=unscored.count),
            comparisons=RolloutRecordComparisons(
                pairs=self._pairs.opponents,
                compared=compared,
                order_dependent=order_dependent,
                win_rate=sum(wins) / len(wins) if known else None,
            ),
        )
