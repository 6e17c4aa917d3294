"""What all three scripts begin with: their inputs, and a line of JSON when a part of the work is done.

INPUTS holds spec.json, rubric.json and train.jsonl, eval.jsonl, audit.jsonl; paths in the spec are under
ROOT. OUT is the folder of a pipeline: grpo.py, sft.py and audit.py run on it in this order.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Inputs:
    """The files that a script reads, and the folder that it writes to."""

    def __init__(self, inputs: Path, root: Path, out: Path) -> None:
        self.folder, self.root, self.out = inputs, root, out
        self.spec: Row = json.loads((inputs / "spec.json").read_text())
        self.rubric: Row = json.loads((inputs / "rubric.json").read_text())
        self._began = time.monotonic()
        out.mkdir(parents=True, exist_ok=True)

    def rows(self, split: str) -> list[Row]:
        """Return the prompts of a split."""
        return read_lines(self.folder / f"{split}.jsonl")

    def model(self, role: str) -> str:
        """Return the folder of a role's model."""
        return str(self.root / self.spec[role]["model"])

    def done(self, part: str, **more: Any) -> None:
        """Print that a part is done, and after how many seconds of this script."""
        print(json.dumps({"part": part, "seconds": time.monotonic() - self._began, **more}), flush=True)


def from_arguments(**more: Any) -> tuple[Inputs, argparse.Namespace]:
    """Read the command line: INPUTS ROOT OUT, and the options in `more` with their types."""
    parser = argparse.ArgumentParser()
    for name in ("inputs", "root", "out"):
        parser.add_argument(name, type=Path)
    for name, kind in more.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    arguments = parser.parse_args(sys.argv[1:])
    return Inputs(arguments.inputs, arguments.root, arguments.out), arguments


def read_lines(path: Path) -> list[Row]:
    """Return the objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, rows: list[Row]) -> None:
    """Write a JSON Lines file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
