"""`npm run audit-scale`: what the audit of many rows costs, from the files of verdicts to the report.

Exits 1 where a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from audit_scale.inputs import write_inputs

MOST_SECONDS = 60
MOST_MEMORY_MB = 2000
MOST_REPORT_MB = 5

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """Seconds and peak memory of a process; `compute_s` is what follows after the last verdict was read.

    `processor_s` is what all threads together took: on a busy machine seconds say less than it.
    """

    seconds: float
    compute_s: float
    processor_s: float
    memory_mb: float


def main() -> None:
    """Audit once, print the costs."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, asked.rows, asked.prompts)
        audit = _run([sys.executable, "-m", "gavel_train.audit.external", str(folder)])
        report = _run(
            [
                *("node", "bin/node24.mjs", "--no-warnings"),
                *("bench/audit_scale/report.ts", str(folder)),
            ]
        )
        sizes = {file: (folder / file).stat().st_size / 1e6 for file in ("audit.json", "report.html")}
        records = len(json.loads((folder / "audit.json").read_bytes())["records"])
    print(f"{asked.rows:,} rows, {asked.prompts:,} prompts, 4 contestants, {records:,} records")
    print(f"audit: {audit.seconds:.1f} s, {audit.compute_s:.1f} s of it after the verdicts were read")
    print(f"processor time of the audit: {audit.processor_s:.1f} s")
    print(f"peak memory of the audit: {audit.memory_mb:,.0f} MB")
    print(f"report: {report.seconds:.1f} s")
    print("; ".join(f"{file}: {size:.2f} MB" for file, size in sizes.items()))
    missed = [
        *([f"{MOST_SECONDS} s after the verdicts"] if audit.compute_s > MOST_SECONDS else []),
        *([f"{MOST_MEMORY_MB:,} MB of memory"] if audit.memory_mb > MOST_MEMORY_MB else []),
        *([f"{MOST_REPORT_MB} MB of report"] if sizes["report.html"] > MOST_REPORT_MB else []),
    ]
    if missed:
        sys.exit(f"Over the limits: {', '.join(missed)}.")


def _run(command: list[str]) -> Cost:
    """Run a process to its end; raises CalledProcessError where it fails."""
    began = time.monotonic()
    computing_at = began
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"{") and json.loads(line).get("phase") == "compute" and computing_at == began:
            computing_at = time.monotonic()
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    if status != 0:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    # Linux counts in KiB.
    return Cost(
        seconds=ended - began,
        compute_s=ended - computing_at,
        processor_s=usage.ru_utime + usage.ru_stime,
        memory_mb=usage.ru_maxrss * 1024 / 1e6,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="audit-scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--prompts", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
