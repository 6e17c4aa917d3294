"""Records: every measure of every contestant, over all rows and each slice, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from gavel_train.audit.measure import Measure, all_measures, policy_measures
from gavel_train.audit.sample import POINTWISE, Answers, PolicySample, Rows, Sample
from gavel_train.audit.slices import ALL, Slice
from gavel_train.audit.statistic import Statistic
from gavel_train.contracts import Finding, MeasureInfo, MeasureRecord

JUDGE = "judge"
GRADER = "grader"
# The mode of the policy where its prompts are those that the run held out.
HELD_OUT = "held_out"

Progress = Callable[[int, int], None]


def records_of(
    rows: Rows,
    answers: Sequence[Answers],
    slices: Sequence[Slice] = (),
    *,
    confidence: float,
    on_progress: Progress | None = None,
) -> list[MeasureRecord]:
    """Return the records of all contestants, those over all rows first; what does not apply has no record.

    What applies to a contestant over all rows has a record in every slice, of nothing where the slice has no
    row for it: else a gate on all slices would pass without those that were not measured.
    """
    judge = next((one for one in answers if one.role == JUDGE), None)
    # A baseline is compared with the truth, never with the judge.
    samples = [Sample(rows, one, None if one.role == JUDGE or one.is_baseline else judge) for one in answers]
    found: list[MeasureRecord] = []
    applying: list[list[Measure]] = []
    total = len(samples) * (1 + len(slices))
    for number, part in enumerate([None, *slices]):
        taken = samples if part is None else [sample.take(part.chosen_N) for sample in samples]
        kept: list[tuple[Measure, MeasureRecord]] = []
        for index, sample in enumerate(taken):
            if part is None:
                records = _records(sample, all_measures(), ALL, confidence)
                applying.append([measure for measure in records if measure.sliced])
            else:
                absent = {measure: _absent(sample, measure, part.name) for measure in applying[index]}
                records = absent | _records(sample, applying[index], part.name, confidence)
            kept += records.items()
            if on_progress is not None:
                on_progress(number * len(samples) + index + 1, total)
        # Measures come part by part; contestants follow one another within a part.
        order = {name: rank for rank, name in enumerate(dict.fromkeys(m.part for m in all_measures()))}
        found += [record for _, record in sorted(kept, key=lambda one: order[one[0].part])]
    return found


def policy_records(sample: PolicySample, confidence: float, mode: str = HELD_OUT) -> list[MeasureRecord]:
    """Return the records of the policy on held-out prompts, or on another task (`on_<label>`)."""
    found = []
    for measure in policy_measures():
        statistic = measure.statistic(sample)
        if statistic is not None:
            record_id = f"{measure.info.part}.policy.{mode}.{measure.info.name}"
            found.append(record_of(record_id, ALL, statistic, confidence))
    return found


def record_of(record_id: str, slice_name: str, statistic: Statistic, confidence: float) -> MeasureRecord:
    """Return the record of a statistic; what is not finite is null: JSON has neither NaN nor infinity."""
    interval = statistic.interval(confidence)
    point, low, high = _finite(statistic.point), _finite(interval.low), _finite(interval.high)
    method = interval.method
    if point is None or low is None or high is None:
        if interval.low is not None and interval.high is not None:
            method = "no interval: it is not finite"
        low = high = None
    return MeasureRecord(
        id=record_id,
        slice=slice_name,
        point=point,
        low=low,
        high=high,
        n=statistic.n,
        prompts=statistic.prompts,
        method=method,
    )


def findings_of(records: Sequence[MeasureRecord], labels: int = len(POINTWISE)) -> list[Finding]:
    """Return what the measures' modules say follows from the records over all rows; so many labels occur."""
    speakers = {(one.part, one.name): partial(one.says, labels=labels) for one in all_measures()}
    of_policy = {(one.info.part, one.info.name): one.finding for one in policy_measures()}
    found = []
    for record in records:
        part, role, mode, name = record.id.split(".")
        finding = speakers.get((part, name)) or of_policy.get((part, name))
        text = finding(record, role, mode) if finding is not None and record.slice == ALL else None
        if text is not None:
            found.append(Finding(id=record.id, text=text))
    return found


def measured(records: Sequence[MeasureRecord], labels: int) -> list[MeasureInfo]:
    """Return what each measure that has a record is, in the order of a report; so many labels occur."""
    names = {(part, name) for part, _, _, name in (record.id.split(".") for record in records)}
    infos = [measure.info(labels) for measure in all_measures()] + [one.info for one in policy_measures()]
    return [info for info in infos if (info.part, info.name) in names]


def _records(
    sample: Sample, measures: Iterable[Measure], slice_name: str, confidence: float
) -> dict[Measure, MeasureRecord]:
    """The record of each measure that applies."""
    found = {}
    # Rows that do not define a measure give NaN, which the record says; numpy need not warn.
    with np.errstate(all="ignore"):
        for measure in measures:
            statistic = measure.statistic(sample)
            if statistic is not None:
                found[measure] = record_of(_id(sample, measure), slice_name, statistic, confidence)
    return found


def _absent(sample: Sample, measure: Measure, slice_name: str) -> MeasureRecord:
    return MeasureRecord(
        id=_id(sample, measure),
        slice=slice_name,
        point=None,
        low=None,
        high=None,
        n=0,
        prompts=0,
        method="no interval: nothing to compute it from, say no known truth in this slice",
    )


def _id(sample: Sample, measure: Measure) -> str:
    return f"{measure.part}.{sample.answers.role}.{sample.answers.mode}.{measure.name}"


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
