"""What the rows are sliced by: a field and a value for each slice, and the rows that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import Answers, Bools
from gavel_train.contracts import SliceField, SliceFieldValues

# Below this a slice says next to nothing, and each slice repeats every measure.
LEAST_ROWS = 20
MOST_VALUES = 20
ALL = "all"

_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Slice:
    """A slice by its name, `FIELD=VALUE`, and which of the N rows are in it."""

    name: str
    chosen_N: Bools


@dataclass(frozen=True)
class SlicedField:
    """A field with its slices, and what is in none of them: values `left_out`, and rows without a value."""

    info: SliceField
    slices: Sequence[Slice] = ()
    left_out: Sequence[str] = ()
    rows_without: int = 0


def slices_of(rows: AuditedRows, judge: Answers | None, fields: Sequence[str]) -> list[SlicedField]:
    """Return what each field has for values, and a slice for each value that has enough rows.

    `checkpoint` is where a completion comes from, `prompt_length` the quarter of the prompt's characters,
    `score` the judge's; any other name is a field of the rows. A field that no row has is left out.
    """
    found = (_sliced(rows, field, *_values(rows, judge, field)) for field in dict.fromkeys(fields))
    return [one for one in found if one is not None]


def _values(
    rows: AuditedRows, judge: Answers | None, field: str
) -> tuple[npt.NDArray[np.object_], list[str] | None]:
    """Value of each row (None: it has none), and the order of the values where they have one."""
    if field == "checkpoint":
        return _unless_all_alike([row.source for row in rows.rows]), None
    if field == "prompt_length":
        texts, order = _length_quarters([len(row.prompt) for row in rows.rows])
        return _unless_all_alike(texts), order
    if field == "score":
        scores = [None] * len(rows) if judge is None else [_digit(score) for score in judge.score_N]
        return _unless_all_alike(scores), [str(digit) for digit in range(10)]
    return np.array([row.fields.get(field) for row in rows.rows], dtype=object), None


def _unless_all_alike(values: Sequence[str | None]) -> npt.NDArray[np.object_]:
    """The values; none where there is only one: that slice would be all rows again."""
    alike = len(set(values)) == 1
    return np.array([None] * len(values) if alike else values, dtype=object)


def _digit(score: float) -> str | None:
    return None if np.isnan(score) else str(int(score))


def _length_quarters(lengths: Sequence[int]) -> tuple[list[str], list[str]]:
    """The quarter that each length is in, and the quarters in order; equal lengths are in one quarter."""
    length_N = np.array(lengths)
    tops = np.unique([*np.quantile(length_N, _QUARTERS, method="lower"), length_N.max()])
    starts = [int(length_N.min()), *(int(top) + 1 for top in tops[:-1])]
    names = [f"{start}-{int(top)}" for start, top in zip(starts, tops, strict=True)]
    return [names[index] for index in np.searchsorted(tops, length_N)], names


def _sliced(
    rows: AuditedRows, field: str, value_N: npt.NDArray[np.object_], ordered: list[str] | None
) -> SlicedField | None:
    counts: dict[str, int] = {}
    for value in value_N:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    if not counts:
        return None
    largest = sorted(counts, key=lambda value: (-counts[value], value))
    enough = [value for value in largest if counts[value] >= LEAST_ROWS]
    kept = enough[:MOST_VALUES]
    if ordered is not None:
        kept.sort(key=ordered.index)
    prompts = {value: len(np.unique(rows.prompt_N[value_N == value])) for value in kept}
    values = [SliceFieldValues(value=value, rows=counts[value], prompts=prompts[value]) for value in kept]
    few, beyond, without = largest[len(enough) :], enough[MOST_VALUES:], len(rows) - sum(counts.values())
    left_out = [
        _counted(few, counts, f"with fewer than {LEAST_ROWS} rows"),
        _counted(beyond, counts, f"beyond the {MOST_VALUES} with the most rows"),
        _without(field, without),
    ]
    said = "; ".join(part for part in left_out if part)
    return SlicedField(
        SliceField(field=field, values=values, left_out=said or None),
        [Slice(f"{field}={value}", value_N == value) for value in kept],
        [*beyond, *few],
        without,
    )


def _counted(values: Sequence[str], counts: dict[str, int], why: str) -> str:
    if not values:
        return ""
    rows = sum(counts[value] for value in values)
    return f"{len(values)} value{'s' if len(values) > 1 else ''} {why} ({rows} rows in all)"


def _without(field: str, rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''} without {field}" if rows else ""
