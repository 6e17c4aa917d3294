"""Which traces are distilled, in which order: an index on disk, as memory must not grow with the ledger."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gavel_train.contracts import Trace
from gavel_train.run.ledger import PlacedTrace, read_trace

# A temporary file that SQLite deletes; pages that its cache has no room for go there.
_TEMPORARY = ""
_TABLE = """CREATE TABLE found
    (key BLOB, same BLOB, prompt BLOB, mode TEXT, path INTEGER, start INTEGER, length INTEGER)"""
# The columns beside min() are those of the row that has it (sqlite.org/lang_select.html, bare columns).
_KEPT = (
    "SELECT min(key) AS key, prompt, mode, path, start, length FROM found GROUP BY same ORDER BY key LIMIT ?"
)


@dataclass(frozen=True)
class Chosen:
    """Traces that differ in prompt, completion or reply, ordered by key; of equal ones the first."""

    _index: sqlite3.Connection
    _paths: Sequence[Path]
    found: int
    excluded: int
    duplicates: int
    count: int

    @property
    def prompts(self) -> set[str]:
        """The hashes of their prompts."""
        return {prompt.hex() for (prompt,) in self._index.execute("SELECT DISTINCT prompt FROM kept")}

    @property
    def modes(self) -> set[str]:
        """The modes in which they were asked for."""
        return {mode for (mode,) in self._index.execute("SELECT DISTINCT mode FROM kept")}

    def traces(self, prompts: Collection[str] | None = None) -> Iterator[Trace]:
        """Read them from the ledger, those on `prompts` alone where that is given."""
        rows = self._index.execute("SELECT path, start, length, prompt FROM kept ORDER BY key")
        with ExitStack() as open_files:
            files = [(path, open_files.enter_context(path.open("rb"))) for path in self._paths]
            for at, start, length, prompt in rows:
                if prompts is None or prompt.hex() in prompts:
                    path, file = files[at]
                    yield read_trace(file, path, start, length)


def choose(
    traces: Iterable[tuple[PlacedTrace, str]], *, forbidden: Collection[str], limit: int | None
) -> Chosen:
    """Choose among traces that come with the hash of their prompt, which must not be `forbidden`."""
    index = sqlite3.connect(_TEMPORARY)
    index.execute(_TABLE)
    paths: dict[Path, int] = {}
    found = 0

    def rows() -> Iterator[tuple[bytes, bytes, bytes, str, int, int, int]]:
        nonlocal found
        for placed, prompt in traces:
            found += 1
            if prompt not in forbidden:
                trace, path = placed.trace, paths.setdefault(placed.path, len(paths))
                key, hashed = bytes.fromhex(trace.key), bytes.fromhex(prompt)
                yield key, _identity(trace, hashed), hashed, trace.mode, path, placed.start, placed.length

    index.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
    allowed, distinct = index.execute("SELECT count(*), count(DISTINCT same) FROM found").fetchone()
    index.execute(f"CREATE TABLE kept AS {_KEPT}", (-1 if limit is None else limit,))
    (count,) = index.execute("SELECT count(*) FROM kept").fetchone()
    return Chosen(index, list(paths), found, found - allowed, allowed - distinct, count)


def _identity(trace: Trace, prompt: bytes) -> bytes:
    """What two traces share that teach the same; lengths keep the parts apart."""
    digest = hashlib.sha256(prompt)
    for part in (trace.completion, trace.thinking, trace.reply):
        text = b"" if part is None else part.encode()
        digest.update(b"%d:" % (-1 if part is None else len(text)))
        digest.update(text)
    return digest.digest()
