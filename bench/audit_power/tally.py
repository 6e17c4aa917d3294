"""What the replicates of a cell came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gavel_train.contracts import MeasureRecord


@dataclass
class Intervals:
    """Intervals of one measure against its population value; `too_high` lie above it."""

    seen: int = 0
    too_low: int = 0
    too_high: int = 0
    width: float = 0.0

    def see(self, record: MeasureRecord, value: float) -> None:
        """Count one interval; a record without one does not count."""
        if record.low is None or record.high is None:
            return
        self.seen += 1
        self.width += record.high - record.low
        # Population values are sums of many terms: they equal a bound within rounding.
        self.too_low += record.high < value - 1e-9
        self.too_high += record.low > value + 1e-9

    @property
    def coverage(self) -> float:
        """Share of the intervals that hold the population value."""
        return 1 - (self.too_low + self.too_high) / self.seen if self.seen else float("nan")

    @property
    def mean_width(self) -> float:
        """From low to high."""
        return self.width / self.seen if self.seen else float("nan")


@dataclass
class Tally:
    """Verdicts of the audit and of its gates, intervals by measure, and processor time in seconds."""

    replicates: int = 0
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    by_gate: dict[str, Counter[str]] = field(default_factory=dict)
    intervals: dict[str, Intervals] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count the replicates of another tally too."""
        self.replicates += other.replicates
        self.seconds += other.seconds
        self.verdicts.update(other.verdicts)
        for gate, verdicts in other.by_gate.items():
            self.by_gate.setdefault(gate, Counter()).update(verdicts)
        for name, found in other.intervals.items():
            mine = self.intervals.setdefault(name, Intervals())
            for key, value in vars(found).items():
                setattr(mine, key, getattr(mine, key) + value)

    def share(self, verdict: str) -> float:
        """Share of the replicates with this verdict of the audit."""
        return self.verdicts[verdict] / self.replicates
