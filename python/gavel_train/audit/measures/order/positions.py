"""Pairs by what both orders say together, as JudgeLM's evaluation counts them (Zhu et al. 2023, 5.2)."""

from __future__ import annotations

from collections.abc import Callable

from gavel_train.audit import spread
from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Share
from gavel_train.audit.wording import percent, who
from gavel_train.contracts import MeasureRecord

_POSITIONS = {
    "consistent": "whose verdict is the same in both orders",
    "first": "in which what is shown first is preferred",
    "second": "in which what is shown second is preferred",
}


def _share_of(position: str) -> Callable[[Sample], Share | None]:
    def statistic(sample: Sample) -> Share | None:
        order_N = sample.answers.order_N
        if order_N is None or not (order_N != "").any():
            return None
        known_N = order_N != ""
        return Share.of_rows(sample.rows.prompt_N[known_N], order_N[known_N] == position)

    return statistic


def _finding(record: MeasureRecord, role: str, mode: str) -> str | None:
    if record.point is None:
        return None
    share, name = percent(record.point), who(role, mode)
    return f"{name} says the same in both orders of {share} of the {record.n:,} pairs that it compared."


MEASURES = tuple(
    Measure(
        part="order",
        name=position,
        label="consistent" if position == "consistent" else f"biased to the {position}",
        unit="share",
        meaning=f"Share of compared pairs {what}.",
        statistic=_share_of(position),
        order=10 + place,
        finding=_finding if position == "consistent" else None,
        spread=spread.share(),
    )
    for place, (position, what) in enumerate(_POSITIONS.items())
)
