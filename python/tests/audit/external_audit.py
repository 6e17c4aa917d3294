"""An audit of files of verdicts, with the files that it needs."""

import json
from pathlib import Path

from gavel_train.audit.external import run
from gavel_train.contracts import ExternalAuditRequest


def write_lines(path: Path, lines: list[dict]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path.name


def contestant(role: str, file: str | None = None, mode: str = "file") -> dict:
    return {"role": role, "mode": mode, "source": "endpoint" if file is None else "file", "file": file}


def write_request(folder: Path, contestants: list[dict], **changes) -> None:
    request = {
        "run": "any",
        "rows": "rows.jsonl",
        "contestants": contestants,
        "gates": [],
        "looks": "looks.jsonl",
    }
    checked = ExternalAuditRequest.model_validate(request | changes)
    (folder / "request.json").write_text(checked.model_dump_json())


def audit_files(folder: Path, rows: list[dict], verdicts: dict[str, list[dict]], **changes) -> dict:
    """Audit the verdicts of each role on the rows, and return audit.json."""
    write_lines(folder / "rows.jsonl", rows)
    named = [
        contestant(role, write_lines(folder / f"{role}.jsonl", lines)) for role, lines in verdicts.items()
    ]
    write_request(folder, named, **changes)
    run(folder)
    return json.loads((folder / "audit.json").read_text())


def record(audit: dict, record_id: str, slice_name: str = "all") -> dict:
    (found,) = [one for one in audit["records"] if (one["id"], one["slice"]) == (record_id, slice_name)]
    return found
