"""The journal: completions that a server sampled, durable before the judge sees them.

A server's completions cannot be sampled again: its batches depend on time. An attempt that repeats a step
takes what the attempts before it have journaled, so that what was judged is not judged twice, and a run's
weights follow from ledger and journal alone.

`epochs/<n>/journal-<rank>-<step>.jsonl` holds the completions from a commit, at <step>, to the next one.
A line that is cut short or damaged does not count: its completion is sampled again.
"""

from __future__ import annotations

import os
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from pydantic import ValidationError

from gavel_train.contracts import JournalEntry
from gavel_train.run.directory import fsync_path

Place = tuple[int, int, int]
# An entry and what follows once it is durable; the step at which another segment begins; None at the end.
_Task = tuple[JournalEntry, Callable[[], None]] | int | None

# An epoch that has sampled a step anew samples the next step but one itself. Of two steps in a row one
# therefore shows whose policy counts; they lie one further back where a step was sampled ahead.
_STEPS_THAT_TELL = 3

_NAME = re.compile(r"journal-\d+-(\d{6,})\.jsonl")
_CRC_BYTES = 9


@dataclass(frozen=True)
class _Sampled:
    """An entry, and the epoch whose journal it is in."""

    epoch: int
    entry: JournalEntry


class Journal:
    """Writes this rank's part of the journal, from a thread of its own.

    Entries that arrive while the disk writes share the next fsync. `failed` is what ended the writing.
    """

    def __init__(self, epoch_dir: Path, rank: int, step: int) -> None:
        self._epoch_dir = epoch_dir
        self._rank = rank
        self._queue: SimpleQueue[_Task] = SimpleQueue()
        self.failed: BaseException | None = None
        self._queue.put(step)
        self._thread = threading.Thread(target=self._run, name="gavel-journal", daemon=True)
        self._thread.start()

    def write(self, entry: JournalEntry, then: Callable[[], None]) -> None:
        """Append an entry; `then` is called, in the journal's thread, once it is durable."""
        self._queue.put((entry, then))

    def begin_segment(self, step: int) -> None:
        """Write what follows into another file, since a commit at `step` needs none of the ones before."""
        self._queue.put(step)

    def close(self) -> None:
        """Write what is waiting, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_all()
        except BaseException as error:
            self.failed = error

    def _write_all(self) -> None:
        file: BinaryIO | None = None
        try:
            while True:
                file = self._begin(self._queue.get()) if file is None else self._write_some(file)
                if file is None:
                    return
        finally:
            if file is not None:
                file.close()

    def _write_some(self, file: BinaryIO) -> BinaryIO | None:
        """Write all entries that wait and make them durable; return the file for those that follow."""
        waiting: list[Callable[[], None]] = []
        task = self._queue.get()
        while isinstance(task, tuple):
            file.write(line_of(task[0]))
            waiting.append(task[1])
            if self._queue.empty():
                break
            task = self._queue.get()
        file.flush()
        os.fsync(file.fileno())
        for then in waiting:
            then()
        if isinstance(task, tuple):
            return file
        file.close()
        return self._begin(task)

    def _begin(self, task: _Task) -> BinaryIO | None:
        if not isinstance(task, int):
            return None
        path = self._epoch_dir / f"journal-{self._rank}-{task:06d}.jsonl"
        file = path.open("ab")
        fsync_path(self._epoch_dir)
        return file


def line_of(entry: JournalEntry) -> bytes:
    """Return an entry as the journal keeps it: CRC-32 in eight hex digits, a space, JSON, a line feed."""
    body = entry.model_dump_json().encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def read_journal(
    stage_dir: Path,
    *,
    before_epoch: int,
    after_step: int,
    save_every: int,
    is_mine: Callable[[int, int], bool] = lambda group, rollout: True,
) -> dict[Place, JournalEntry]:
    """Return what epochs before `before_epoch` have journaled of the steps after `after_step`.

    Where two epochs have sampled the same place, the newer one counts. What an epoch sampled after a step
    that a newer one has sampled anew does not count: its policy is not the one that training continues.
    `is_mine` tells which groups and rollouts are this rank's.
    """
    first = after_step - _STEPS_THAT_TELL
    found: dict[Place, _Sampled] = {}
    for epoch_dir in sorted((stage_dir / "epochs").glob("[0-9]*")):
        if int(epoch_dir.name) >= before_epoch:
            continue
        for path in sorted(epoch_dir.glob("journal-*.jsonl")):
            if _ends_by(path, first, save_every):
                continue
            for entry in _entries(path):
                if entry.step > first:
                    found[entry.step, entry.group, entry.rollout] = _Sampled(int(epoch_dir.name), entry)
    return {
        place: one.entry
        for place, one in _of_one_policy(found).items()
        if place[0] > after_step and is_mine(*place[1:])
    }


def _of_one_policy(found: dict[Place, _Sampled]) -> dict[Place, _Sampled]:
    """Leave out what was sampled after a step whose completions come from a newer epoch, at least in part."""
    counting: dict[Place, _Sampled] = {}
    newest_of_step: dict[int, int] = {}
    for place, one in sorted(found.items(), key=lambda item: item[0]):
        learned_from = (epoch for step, epoch in newest_of_step.items() if step <= one.entry.adapter_step)
        if one.epoch < max(learned_from, default=0):
            continue
        counting[place] = one
        newest_of_step[place[0]] = max(newest_of_step.get(place[0], 0), one.epoch)
    return counting


def prune_journal(stage_dir: Path, *, up_to_epoch: int, oldest_resume: int, save_every: int) -> None:
    """Remove segments whose steps all lie at or before `oldest_resume`, of epochs up to `up_to_epoch`."""
    for path in (stage_dir / "epochs").glob("[0-9]*/journal-*.jsonl"):
        if int(path.parent.name) <= up_to_epoch and _ends_by(path, oldest_resume, save_every):
            path.unlink(missing_ok=True)


def _ends_by(path: Path, step: int, save_every: int) -> bool:
    """Whether a segment holds no step after `step`, by its name.

    One that begins at a commit holds the `save_every` steps up to the next commit at most, and one more
    that was sampled ahead.
    """
    match = _NAME.fullmatch(path.name)
    return match is not None and int(match[1]) + save_every + 1 <= step


def _entries(path: Path) -> Iterator[JournalEntry]:
    for line in path.read_bytes().splitlines(keepends=True):
        crc, body = line[:_CRC_BYTES], line[_CRC_BYTES:].removesuffix(b"\n")
        if not line.endswith(b"\n") or crc != b"%08x " % zlib.crc32(body):
            continue
        try:
            yield JournalEntry.model_validate_json(body)
        except ValidationError:
            continue
