"""Binds a checkpoint of stage sft to the training set that its step counts through."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gavel_train.lifetime import rank

# In every checkpoint.
EXAMPLES = "examples.json"


def examples_record(train: Sequence[Any], order: Sequence[int]) -> str:
    """What a checkpoint keeps of its training set: sha256 of encoded examples and their order, and count.

    `train` holds dataclasses, encoded as they are trained on.
    """
    digest = hashlib.sha256()
    for row in train:
        digest.update(json.dumps(asdict(row)).encode())
    digest.update(json.dumps(list(order)).encode())
    return json.dumps({"sha256": digest.hexdigest(), "count": len(train)}) + "\n"


def checkpoint_of_examples(checkpoint: str | None, record: str) -> str | None:
    """Return `checkpoint` if it was trained on the examples of `record`, else None.

    The ledger may have lost traces since: step n of another order of other examples continues nothing.
    """
    if checkpoint is None:
        return None
    path = Path(checkpoint) / EXAMPLES
    found = path.read_text(encoding="utf-8") if path.is_file() else "no such file"
    if found == record:
        return checkpoint
    if rank() == 0:
        print(
            f"{path}: expected the examples of this training, {record.strip()}, got {found.strip()}: "
            "the training starts afresh.",
            file=sys.stderr,
        )
    return None
