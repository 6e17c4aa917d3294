"""The policy's held-out completions, as stage grpo wrote them down: of its own task and of further ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gavel_train.audit.sample import PolicySample


def read_policy_sample(path: Path) -> PolicySample | None:
    """Read those of the first and last checkpoint that the verifier could check; None without any."""
    with path.open(encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    known = [row for row in rows if row["verifier"] is not None and row["checkpoint"] in ("first", "last")]
    if not known:
        return None
    _, prompt_N = np.unique([row["prompt_id"] for row in known], return_inverse=True)
    return PolicySample(
        prompt_N=prompt_N.astype(np.int64),
        right_N=np.array([row["verifier"] >= 1.0 for row in known]),
        is_last_N=np.array([row["checkpoint"] == "last" for row in known]),
    )
