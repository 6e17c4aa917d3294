"""Audit of any endpoint or file of verdicts: `python -m gavel_train.audit.external OUT_DIR`.

Reads OUT_DIR/request.json, gets the verdicts through the gateway that it names and from files, writes
OUT_DIR/audit.json, and OUT_DIR/outcome.json last. Exits like a stage: 0 done, 2 bad request, 75 judge away.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from gavel_train.audit.contestants import FromEndpoint, FromFile, Source
from gavel_train.audit.rows import read_external_rows
from gavel_train.audit.runner import Plan, run_audit
from gavel_train.audit.truth import equal_answers, truth_of
from gavel_train.contracts import ExternalAuditRequest, Outcome
from gavel_train.judging.gateway import GatewayClient
from gavel_train.run import lifetime, progress
from gavel_train.run.directory import sha256_of, write_atomically
from gavel_train.run.outcome import EXIT_CODES, BadRequest, keep_spare, outcome_of, write_outcome

# The gateway has its own limit for each role; this only keeps enough calls at its door.
_CALLS_IN_FLIGHT = 256


def run(folder: Path) -> None:
    """Audit what a request names and write audit.json beside it."""
    request, digest = _read_request(folder / "request.json")
    rows = read_external_rows(folder / request.rows, request.max_rows)
    _check_counted(request, folder / request.rows, len(rows))
    with ExitStack() as stack:
        audit = run_audit(
            Plan(
                run=request.run,
                rows=rows,
                truth_N=truth_of(rows, equal_answers),
                sources=_sources(request, folder, stack),
                headline_mode=request.headline_mode,
                threshold=request.threshold,
                confidence=request.confidence,
                slices=request.slices,
                gates=request.gates,
                looks=folder / request.looks,
                reference_guided=request.reference_guided,
            )
        )
    answer = audit.model_copy(update={"request_digest": digest})
    write_atomically(folder / "audit.json", answer.model_dump_json(indent=2) + "\n")


def _check_counted(request: ExternalAuditRequest, path: Path, rows: int) -> None:
    """Raise BadRequest where the rows are not those whose calls a person allowed."""
    counted = request.rows_counted
    if counted is None:
        return
    found = sha256_of(path)
    if (rows, found) != (counted.count, counted.sha256):
        raise BadRequest(
            "rows",
            f"{path}: expected the {counted.count} rows whose calls were counted (sha256 "
            f"{counted.sha256[:12]}), found {rows} rows ({found[:12]}): the file was changed meanwhile. "
            "Nothing was asked or paid; the same command again counts anew.",
        )


def _sources(request: ExternalAuditRequest, folder: Path, stack: ExitStack) -> list[Source]:
    """Where each contestant's verdicts come from; the gateway's client is closed with `stack`."""
    client: GatewayClient | None = None
    sources: list[Source] = []
    for contestant in request.contestants:
        if contestant.source == "file":
            if contestant.file is None:
                raise BadRequest(
                    contestant.role, f"{contestant.role}: expected the path of a file, found null."
                )
            sources.append(FromFile(contestant, folder / contestant.file))
            continue
        if client is None:
            client = _client(request)
            stack.callback(client.close)
        sources.append(FromEndpoint(contestant, client, folder, folder, "*.jsonl"))
    return sources


def _client(request: ExternalAuditRequest) -> GatewayClient:
    if request.gateway_url is None:
        raise BadRequest("gateway_url", "Expected the URL of a gateway for the endpoints, found null.")
    key = os.environ.get("GAVEL_API_KEY")
    if not key:
        raise BadRequest(None, "Expected the gateway's key in GAVEL_API_KEY, found none.")
    return GatewayClient(str(request.gateway_url), key, concurrency=_CALLS_IN_FLIGHT)


def _read_request(path: Path) -> tuple[ExternalAuditRequest, str]:
    """Return the request and its digest, of one reading: the file may be replaced meanwhile."""
    try:
        data = path.read_bytes()
        return ExternalAuditRequest.model_validate_json(data), hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise BadRequest(None, f"Expected a request at {path}, found: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise BadRequest(field, f"{path}: {field}: {first['msg']}.") from error


def main() -> NoReturn:
    """Run as a process: progress on standard output, outcome.json and an exit code at the end."""
    if len(sys.argv) != 2:
        print("usage: python -m gavel_train.audit.external OUT_DIR", file=sys.stderr)
        raise SystemExit(2)
    folder = Path(sys.argv[1]).resolve()
    progress.claim_stdout()
    try:
        lifetime.watch()
        keep_spare(folder, _disk_full("No space left on device"))
        run(folder)
        outcome = Outcome(status="done", message="the audit is done", field=None)
    except BaseException as error:
        outcome = outcome_of(error)
        if outcome.cause == "disk_full":
            outcome = _disk_full(str(error))
        elif outcome.status == "failed":
            traceback.print_exc(file=sys.stderr)
    if folder.is_dir():
        write_outcome(folder, outcome)
    sys.stderr.flush()
    # As stages do: threads of the gateway client must not keep a finished process.
    os._exit(EXIT_CODES[outcome.status])


def _disk_full(message: str) -> Outcome:
    return Outcome(status="failed", message=message, cause="disk_full")


if __name__ == "__main__":
    main()
