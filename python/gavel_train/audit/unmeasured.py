"""What a glob of a gate is about and no record is: modes without the measure, values without a slice."""

from __future__ import annotations

from collections.abc import Sequence

from gavel_train.audit.globs import is_match
from gavel_train.audit.scope import Scope
from gavel_train.contracts import MeasureRecord

# As many names as a sentence holds.
_FEW = 10


def unmeasured(matched: Sequence[MeasureRecord], id_glob: str, slice_glob: str, scope: Scope) -> list[str]:
    """Return a sentence for each thing that a gate would pass over; `matched` are its records."""
    return [*_modes(matched, id_glob, scope), *_values(slice_glob, scope)]


def _modes(matched: Sequence[MeasureRecord], id_glob: str, scope: Scope) -> list[str]:
    """Of each role that is matched, the modes that have no record of the measure."""
    ids = {record.id for record in matched}
    missing: dict[str, None] = {}
    for record_id in ids:
        part, role, _, measure = record_id.split(".")
        for other, mode in scope.asked:
            one = f"{part}.{role}.{mode}.{measure}"
            if other == role and one not in ids and is_match(id_glob, one):
                missing[one] = None
    if not missing:
        return []
    return [f"It is also about {_listed(sorted(missing))}, of which there is no record."]


def _values(slice_glob: str, scope: Scope) -> list[str]:
    """Of each sliced field, the values and rows that a glob is about and that are in no slice."""
    if "*" not in slice_glob:
        return []
    found = []
    for field in scope.fields:
        name = field.info.field
        values = [f"{name}={value}" for value in field.left_out if is_match(slice_glob, f"{name}={value}")]
        if field.rows_without and is_match(slice_glob, f"{name}="):
            values.append(f"rows without {name}")
        if values:
            found.append(
                f"It is also about {_listed(values)}, which are in no slice ({field.info.left_out})."
            )
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
