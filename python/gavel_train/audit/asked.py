"""What is asked of a set of rows: audits with the same digest see the same and are one look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from gavel_train.audit.globs import resolved_id
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import Answers
from gavel_train.contracts import GateSpec


def asked_digest(
    rows: AuditedRows,
    answers: Sequence[Answers],
    *,
    headline_mode: str,
    gates: Sequence[GateSpec],
    slices: Sequence[str],
    confidence: float,
    threshold: int,
) -> str:
    """Digest of every verdict and of what is decided with them.

    A model that was trained again, another rubric and another prompt give other verdicts behind the same
    name. An audit that was killed and started again has the same ones, from the ledger.
    """
    resolved = [gate.model_dump() | {"id": resolved_id(gate.id, headline_mode)} for gate in gates]
    asked = {
        "contestants": sorted([one.role, one.mode, _verdicts_digest(rows, one)] for one in answers),
        "gates": sorted(json.dumps(gate, sort_keys=True) for gate in resolved),
        "slices": sorted(set(slices)),
        "confidence": confidence,
        "threshold": threshold,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _verdicts_digest(rows: AuditedRows, answers: Answers) -> str:
    """Digest of a contestant's verdicts by the ids of their rows, whose order does not change it."""
    columns = (
        answers.kind_N.tolist(),
        answers.score_N.tolist(),
        answers.label_N.tolist(),
        answers.p_pass_N.tolist(),
        answers.value_N.tolist(),
    )
    verdicts = zip((row.id for row in rows.rows), *columns, strict=True)
    digest = hashlib.sha256()
    for verdict in sorted(verdicts, key=lambda one: one[0]):
        digest.update(json.dumps(verdict).encode())
    return digest.hexdigest()
