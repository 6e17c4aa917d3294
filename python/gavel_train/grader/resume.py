"""Binds a checkpoint of stage sft to the training set that its step counts through, and keeps that set.

The ledger may lose traces between two attempts. The attempt that begins a training therefore keeps the
traces that it distils, with what the gateway has rendered of them, in its epoch's folder; each checkpoint
names that file and its digest, and a later attempt that goes on from one takes its examples from there.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gavel_train.contracts import MessagesRequest, RenderedMessages, StageRequest
from gavel_train.grader.lessons import Distilled, Lesson, distil
from gavel_train.judging.gateway import GatewayClient
from gavel_train.run.directory import resolve, run_dir_of, write_atomically
from gavel_train.run.lifetime import rank

# In every checkpoint.
EXAMPLES = "examples.json"

# In the folder of the epoch that began a training: a line of counts, then one Lesson a line.
TRACES = "traces.jsonl"


@dataclass(frozen=True)
class Kept:
    """The traces of a training; where they are kept, under the stage's folder; the sha256 of that file."""

    distilled: Distilled
    path: str
    sha256: str


def traces_of_training(request: StageRequest, epoch_dir: Path) -> Kept:
    """Return the traces that the checkpoint to go on from was trained on; else those of the ledger, now kept.

    Raises BadRequest where the ledger holds too little, LedgerError where a line of it is damaged.
    """
    if request.resume_from is not None:
        kept = _read_kept(request, resolve(request.root, request.resume_from))
        if kept is not None:
            return kept

    def render(asked: Sequence[MessagesRequest]) -> list[RenderedMessages]:
        client = GatewayClient.for_request(request)
        try:
            return client.render_many(asked)
        finally:
            client.close()

    distilled = distil(run_dir_of(request), request.ledger, render, request.spec)
    counts = {name: value for name, value in vars(distilled).items() if name != "lessons"}
    lines = [json.dumps(counts), *(lesson.model_dump_json() for lesson in distilled.lessons)]
    data = "".join(f"{line}\n" for line in lines).encode()
    if rank() == 0:
        write_atomically(epoch_dir / TRACES, data)
    return Kept(distilled, f"epochs/{epoch_dir.name}/{TRACES}", hashlib.sha256(data).hexdigest())


def examples_record(train: Sequence[Any], order: Sequence[int], kept: Kept) -> str:
    """What a checkpoint keeps of its training set: sha256 of encoded examples and their order, and count.

    `train` holds dataclasses, encoded as they are trained on; a field that is an empty tuple is left out, as
    versions that did not have it wrote none. Also where the traces are kept, and their sha256.
    """
    digest = hashlib.sha256()
    for row in train:
        fields = {name: value for name, value in asdict(row).items() if value != ()}
        digest.update(json.dumps(fields).encode())
    digest.update(json.dumps(list(order)).encode())
    record = {"sha256": digest.hexdigest(), "count": len(train)}
    return json.dumps(record | {"traces": kept.path, "traces_sha256": kept.sha256}) + "\n"


def checkpoint_of_examples(checkpoint: str | None, record: str) -> str | None:
    """Return `checkpoint` if it was trained on the examples of `record`, else None.

    Step n of another order of other examples continues nothing. Where the traces are kept does not matter.
    """
    if checkpoint is None:
        return None
    expected = _examples_in(json.loads(record))
    found = _read_record(Path(checkpoint))
    if found is not None and _examples_in(found) == expected:
        return checkpoint
    _warn(
        f"{Path(checkpoint) / EXAMPLES}: expected the examples of this training, {expected}, got "
        f"{'no such file' if found is None else _examples_in(found)}: the training starts afresh."
    )
    return None


def _read_kept(request: StageRequest, checkpoint: Path) -> Kept | None:
    """The traces that a checkpoint's record names; None, and a word about it, where they are not as kept."""
    record = _read_record(checkpoint) or {}
    name, expected = record.get("traces"), record.get("traces_sha256")
    if name is None or expected is None:
        _warn(
            f"{checkpoint / EXAMPLES}: expected the name of the file that keeps its traces, found none: "
            "the examples are made from the ledger."
        )
        return None
    path = run_dir_of(request) / request.stage / name
    data = path.read_bytes() if path.is_file() else None
    found = "no such file" if data is None else hashlib.sha256(data).hexdigest()
    if data is None or found != expected:
        _warn(
            f"{path}: expected the traces that {checkpoint.name} was trained on, with sha256 {expected}, got "
            f"{found}: the examples are made from the ledger."
        )
        return None
    try:
        counts, *lines = data.splitlines()
        lessons = [Lesson.model_validate_json(line) for line in lines]
        return Kept(Distilled(lessons, **json.loads(counts)), name, expected)
    except (TypeError, ValueError) as error:
        _warn(
            f"{path}: expected a line of counts, then traces, got {str(error).splitlines()[0]}: "
            "the examples are made from the ledger."
        )
        return None


def _read_record(checkpoint: Path) -> dict[str, Any] | None:
    path = checkpoint / EXAMPLES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _examples_in(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record.get(name) for name in ("sha256", "count")}


def _warn(message: str) -> None:
    if rank() == 0:
        print(message, file=sys.stderr)
