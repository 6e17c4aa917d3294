"""What the verifier says of the policy's completions of held-out prompts, before and after training."""

from __future__ import annotations

import numpy as np

from gavel_train.audit import from_counts
from gavel_train.audit.intervals import DIFFERENCE
from gavel_train.audit.measure import PolicyMeasure
from gavel_train.audit.sample import Bools, PolicySample
from gavel_train.audit.statistic import Share, Sums
from gavel_train.audit.wording import bounds, points, too_few
from gavel_train.contracts import MeasureInfo, MeasureRecord


def _first(sample: PolicySample) -> Share | None:
    chosen_N = ~sample.is_last_N
    return Share.of_rows(sample.prompt_N[chosen_N], sample.right_N[chosen_N]) if chosen_N.any() else None


def _last(sample: PolicySample) -> Share | None:
    chosen_N = sample.is_last_N
    return Share.of_rows(sample.prompt_N[chosen_N], sample.right_N[chosen_N]) if chosen_N.any() else None


def _gain(sample: PolicySample) -> Sums | None:
    last_N, right_N = sample.is_last_N, sample.right_N
    if last_N.all() or not last_N.any():
        return None
    columns = [right_N & last_N, last_N, right_N & ~last_N, ~last_N]
    both_N = _in_both(sample)
    return Sums.of_columns(
        sample.prompt_N, columns, from_counts.difference_of_means, DIFFERENCE, could_vary_N=both_N
    )


def _in_both(sample: PolicySample) -> Bools:
    first_P, last_P = (
        np.bincount(sample.prompt_N, chosen_N) > 0 for chosen_N in (~sample.is_last_N, sample.is_last_N)
    )
    return (first_P & last_P)[sample.prompt_N]


def _gained(record: MeasureRecord, _role: str, mode: str) -> str | None:
    found = bounds(record)
    if found is None:
        return None
    point, low, high = found
    change = f"{points(point)} points ({points(low)} to {points(high)})"
    # "held_out" is the run's own task; others are named.
    on = f" on {mode.removeprefix('on_')}" if mode.startswith("on_") else ""
    if few := too_few(record):
        return f"Whether the policy learned{on} cannot be told: its answers changed by {change}; {few}."
    if low > 0:
        more = f"{points(point)} points more of its answers are right ({points(low)} to {points(high)})"
        return f"The policy learned{on}: {more}."
    if high < 0:
        less = f"{points(-point)} points fewer of its answers are right ({points(-high)} to {points(-low)})"
        return f"The policy got worse{on}: {less}."
    return f"Whether the policy learned{on} cannot be told: the change of {change} may be chance."


POLICY_MEASURES = (
    PolicyMeasure(
        MeasureInfo(
            part="policy",
            name="accuracy_first",
            label="accuracy before training",
            unit="share",
            meaning="Share of held-out completions that the verifier takes, from the first checkpoint.",
            chance=None,
            chart=True,
        ),
        _first,
    ),
    PolicyMeasure(
        MeasureInfo(
            part="policy",
            name="accuracy_last",
            label="accuracy after training",
            unit="share",
            meaning="Share of held-out completions that the verifier takes, from the last checkpoint.",
            chance=None,
            chart=True,
        ),
        _last,
    ),
    PolicyMeasure(
        MeasureInfo(
            part="policy",
            name="gain",
            label="gain",
            unit="difference",
            meaning="Accuracy after training minus that before, paired by prompt.",
            chance=None,
            chart=True,
        ),
        _gain,
        _gained,
    ),
)
