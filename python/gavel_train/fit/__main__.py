"""`python -m gavel_train.fit FOLDER`: reads spec.json and fit-request.json there, writes fit.json.

The prompts are made as for a run, in memory; where their data is not here a length is assumed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gavel_train.contracts import FitRequest, PromptRow, Spec
from gavel_train.fit.report import report_of
from gavel_train.run.directory import write_atomically
from gavel_train.tasks import make_splits


def main(folder: Path, root: Path) -> None:
    """Write the estimate."""
    spec = Spec.model_validate_json((folder / "spec.json").read_bytes())
    request = FitRequest.model_validate_json((folder / "fit-request.json").read_bytes())
    report = report_of(spec, request, prompts_of(spec, root))
    write_atomically(folder / "fit.json", report.model_dump_json(indent=2) + "\n")


def prompts_of(spec: Spec, root: Path) -> list[PromptRow] | None:
    """Return the training prompts; None where they cannot be made on this machine."""
    try:
        return [PromptRow.model_validate(row) for row in make_splits(spec.task, root)["train"]]
    except Exception as error:
        print(f"prompts: a length is assumed, since {type(error).__name__}: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m gavel_train.fit FOLDER")
    main(Path(sys.argv[1]), Path(os.environ.get("GAVEL_ROOT", ".")).resolve())
