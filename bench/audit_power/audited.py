"""Records of a planted grader, as the audit makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from gavel_train.audit.measure import all_measures
from gavel_train.audit.records import record_of
from gavel_train.audit.sample import Sample
from gavel_train.audit.slices import ALL
from gavel_train.contracts import MeasureRecord

CONFIDENCE = 0.95


def records(sample: Sample, measures: Collection[str] | None = None) -> Iterable[tuple[str, MeasureRecord]]:
    """`part.measure` and record of the measures that apply; of all where none are named."""
    answers = sample.answers
    # As in the audit itself: rows that do not define a measure give NaN, which the record says.
    with np.errstate(all="ignore"):
        for measure in all_measures():
            name = f"{measure.part}.{measure.name}"
            statistic = measure.statistic(sample) if measures is None or name in measures else None
            if statistic is not None:
                record_id = f"{measure.part}.{answers.role}.{answers.mode}.{measure.name}"
                yield name, record_of(record_id, ALL, statistic, CONFIDENCE)
