"""Tallies on disk, so that a simulation that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from audit_power.tally import Intervals, Tally

_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("python/gavel_train/audit", "bench/audit_power")
# These do not decide what a replicate gives.
_NO_MATTER = ("__main__.py", "figures.py", "kept.py", "page.py")


class Kept:
    """Tallies of chunks by name, in a file for this very code; other code starts anew."""

    def __init__(self, folder: Path = _ROOT / ".gavel") -> None:
        folder.mkdir(exist_ok=True)
        self._path = folder / f"audit-power-{_digest()}.jsonl"
        if self._path.exists():
            # A line that a kill cut off would spoil the next one.
            text = self._path.read_text()
            self._path.write_text(text[: text.rfind("\n") + 1])

    def read(self) -> dict[str, Tally]:
        """What is there."""
        found: dict[str, Tally] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            kept = json.loads(line)
            found[kept["chunk"]] = _tally(kept["tally"])
        return found

    def add(self, chunk: str, tally: Tally) -> None:
        """Append one."""
        with self._path.open("a") as file:
            file.write(json.dumps({"chunk": chunk, "tally": _fields(tally)}) + "\n")


def _fields(tally: Tally) -> dict:
    intervals = {name: vars(found) for name, found in tally.intervals.items()}
    return vars(tally) | {"intervals": intervals}


def _tally(fields: dict) -> Tally:
    return Tally(
        replicates=fields["replicates"],
        seconds=fields["seconds"],
        verdicts=Counter(fields["verdicts"]),
        by_gate={gate: Counter(verdicts) for gate, verdicts in fields["by_gate"].items()},
        intervals={name: Intervals(**counts) for name, counts in fields["intervals"].items()},
    )


def _digest() -> str:
    """Of the code that decides what a replicate gives."""
    files = sorted(path for folder in _CODE for path in (_ROOT / folder).rglob("*.py"))
    content = hashlib.sha256()
    for path in files:
        if path.parent.name == "audit_power" and path.name in _NO_MATTER:
            continue
        content.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return content.hexdigest()[:12]
