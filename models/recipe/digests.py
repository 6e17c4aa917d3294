"""The frozen models by content: sha256 of every file that a model folder ships, its card left out."""

import hashlib
import json
from pathlib import Path


def compute(models: Path) -> dict[str, str]:
    """Digest of each file in the model folders, by path relative to `models`."""
    # A card is prose about the model, and correcting it changes no model.
    files = sorted(path for path in models.glob("poly-easy-*/*") if path.is_file() and path.suffix != ".md")
    return {
        path.relative_to(models).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def write(models: Path) -> None:
    """Record the digests in `digests.json`."""
    (models / "digests.json").write_text(json.dumps(compute(models), indent=2) + "\n")
