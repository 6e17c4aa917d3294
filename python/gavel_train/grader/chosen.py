"""Which traces are distilled, in which order: an index on disk, as memory must not grow with the ledger."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gavel_train.contracts import Trace
from gavel_train.grader.contradicted import Contradicts
from gavel_train.grader.outcome import shown_in
from gavel_train.run.ledger import PlacedTrace, read_trace

# A temporary file that SQLite deletes; pages that its cache has no room for go there.
_TEMPORARY = ""
_TABLE = """CREATE TABLE found
    (key BLOB, same BLOB, prompt BLOB, mode TEXT, contradicted INTEGER,
     path INTEGER, start INTEGER, length INTEGER)"""
# The columns beside min() are those of the row that has it (sqlite.org/lang_select.html, bare columns).
_DISTINCT = "SELECT min(key) AS key, prompt, mode, contradicted, path, start, length FROM found GROUP BY same"
_KEPT = "SELECT * FROM distinct_ones WHERE NOT (? AND contradicted IS 1) ORDER BY key LIMIT ?"
_Row = tuple[bytes, bytes, bytes, str, bool | None, int, int, int]


@dataclass(frozen=True)
class ChosenTrace:
    """A trace to distil, and whether the verifier contradicts it."""

    trace: Trace
    contradicted: bool


@dataclass(frozen=True)
class Chosen:
    """Traces that differ in prompt, completion or reply, ordered by key; of equal ones the first.

    `excluded` are on forbidden prompts, `duplicates` repeat others, and `dropped` are contradicted by the
    verifier. Of the `count` that are left, `verified` have its word.
    """

    _index: sqlite3.Connection
    _paths: Sequence[Path]
    found: int
    excluded: int
    duplicates: int
    dropped: int
    count: int
    verified: int

    @property
    def prompts(self) -> set[str]:
        """The hashes of their prompts."""
        return {prompt.hex() for (prompt,) in self._index.execute("SELECT DISTINCT prompt FROM kept")}

    @property
    def modes(self) -> set[str]:
        """The modes in which they were asked for."""
        return {mode for (mode,) in self._index.execute("SELECT DISTINCT mode FROM kept")}

    def traces(self, prompts: Collection[str] | None = None) -> Iterator[ChosenTrace]:
        """Read them from the ledger, those on `prompts` alone where that is given."""
        columns = "path, start, length, prompt, contradicted"
        rows = self._index.execute(f"SELECT {columns} FROM kept ORDER BY key")
        with ExitStack() as open_files:
            files = [(path, open_files.enter_context(path.open("rb"))) for path in self._paths]
            for at, start, length, prompt, contradicted in rows:
                if prompts is None or prompt.hex() in prompts:
                    path, file = files[at]
                    yield ChosenTrace(read_trace(file, path, start, length), contradicted == 1)


def choose(
    traces: Iterable[tuple[PlacedTrace, str]],
    *,
    forbidden: Collection[str],
    contradicts: Contradicts,
    drop: bool,
    limit: int | None,
) -> Chosen:
    """Choose among traces that come with the hash of their prompt, which must not be `forbidden`.

    With `drop`, those that the verifier contradicts are left out, before `limit` counts.
    """
    index = sqlite3.connect(_TEMPORARY)
    index.execute(_TABLE)
    paths: dict[Path, int] = {}
    found = 0

    def rows() -> Iterator[_Row]:
        nonlocal found
        for placed, prompt in traces:
            found += 1
            if prompt not in forbidden:
                trace, path = placed.trace, paths.setdefault(placed.path, len(paths))
                key, hashed = bytes.fromhex(trace.key), bytes.fromhex(prompt)
                what = key, _identity(trace, hashed), hashed, trace.mode, contradicts(trace)
                yield *what, path, placed.start, placed.length

    index.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    index.execute(f"CREATE TABLE distinct_ones AS {_DISTINCT}")
    index.execute(f"CREATE TABLE kept AS {_KEPT}", (drop, -1 if limit is None else limit))
    (allowed,) = index.execute("SELECT count(*) FROM found").fetchone()
    distinct, contradicted = index.execute(
        "SELECT count(*), total(contradicted) FROM distinct_ones"
    ).fetchone()
    count, verified = index.execute("SELECT count(*), count(contradicted) FROM kept").fetchone()
    return Chosen(
        index,
        list(paths),
        found=found,
        excluded=found - allowed,
        duplicates=allowed - distinct,
        dropped=int(contradicted) if drop else 0,
        count=count,
        verified=verified,
    )


def _identity(trace: Trace, prompt: bytes) -> bytes:
    """What two traces share that teach the same; lengths keep the parts apart."""
    digest = hashlib.sha256(prompt)
    # The same pair teaches other things in either order.
    shown = [trace.completion] if trace.opponent is None else shown_in(trace)
    for part in (*shown, trace.thinking, trace.reply):
        text = b"" if part is None else part.encode()
        digest.update(b"%d:" % (-1 if part is None else len(text)))
        digest.update(text)
    return digest.digest()
