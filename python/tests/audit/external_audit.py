"""An audit of anybody on a user's rows, with the files that it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import KEY

from gavel_train.audit.external import run
from gavel_train.contracts import ExternalAuditRequest

PYTHON = Path(__file__).resolve().parents[2]


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


def some_rows(count: int = 120, right=lambda n: n % 3 != 0) -> list[dict]:
    return [
        {"id": f"r{n}", "prompt": f"q{n // 2}", "completion": f"c{n}", "is_correct": right(n)}
        for n in range(count)
    ]


def scores(rows: list[dict], score) -> list[dict]:
    return [{"row_id": row["id"], "score": score(n)} for n, row in enumerate(rows)]


def strictly(folder: Path) -> dict:
    """audit.json as a reader takes it that knows neither NaN nor infinity."""

    def refuse(name: str):
        raise ValueError(name)

    return json.loads((folder / "audit.json").read_text(), parse_constant=refuse)


def external(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "gavel_train.audit.external", str(folder)],
        cwd=PYTHON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"GAVEL_API_KEY": KEY, "OMP_NUM_THREADS": "1"},
    )
