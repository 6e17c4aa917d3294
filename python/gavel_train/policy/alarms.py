"""Rules that tell, step by step, that a training runs but is going wrong."""

from __future__ import annotations

from collections.abc import Mapping

_IN_A_ROW = 3


class SamplerDrift:
    """An alarm when trainer and sampler disagree in several steps in a row; once until they agree again.

    `limit` bounds the mean over a step's tokens of the absolute difference of log-probabilities, in nats;
    None: no alarm. A step without the figure, as without a correction, neither counts nor ends a row.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._above = 0

    def message_of(self, figures: Mapping[str, float | None]) -> str | None:
        """Return what to say where the alarm is due after a step with these figures."""
        found = figures.get("sampling_logp_difference_mean")
        if self._limit is None or found is None:
            return None
        self._above = self._above + 1 if found > self._limit else 0
        if self._above != _IN_A_ROW:
            return None
        return (
            f"the log-probabilities of trainer and sampler differed by more than {self._limit:g} "
            f"(grpo.drift_alarm) in {_IN_A_ROW} steps in a row, by {found:.2g} in the last; expected less. "
            "Where both compute in the same dtype and sampling filters are off, take grpo.max_staleness 0 or "
            "a lower grpo.learning_rate"
        )
