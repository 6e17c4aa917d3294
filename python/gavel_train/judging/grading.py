"""A grading pass: one verdict for each audit row by one role in one mode, and what that cost."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from gavel_train.contracts import AuditRow, Endpoint, Grade, GradeRequest, GradingPass, VerdictRow
from gavel_train.judging.gateway import GatewayClient
from gavel_train.run import progress
from gavel_train.run.directory import write_atomically, write_rows
from gavel_train.run.ledger import without_checksum

Role = Literal["judge", "grader", "base"]
Mode = Literal["reasoned", "single_token", "choice", "pairwise"]
_PROGRESS_EVERY_S = 1.0


def grade_rows(
    client: GatewayClient,
    rows: Sequence[AuditRow],
    role: Role,
    mode: Mode,
    occasion_prefix: str = "audit",
    *,
    out: Path,
    run_dir: Path,
    segments: str,
    rows_digest: str | None = None,
    gpus: int | None = None,
) -> GradingPass:
    """Grade all rows, once each; write `verdicts-<role>-<mode>.jsonl` and `pass-<role>-<mode>.json` in `out`.

    `segments` is the glob, under `run_dir/traces`, of the ledger segments that this gateway writes
    (say `grpo-e3-*.jsonl`): tokens are counted there, since a trace is durable before its verdict
    is returned. The clock starts once the first row is answered, and verdicts per second leave that
    row out; rows answered from the ledger or by reuse are not `asked`. `rows_digest` and `gpus` (those that
    serve the model) are kept in the pass. Where the ledger answers every row, what an earlier pass in `out`
    over the same traces cost still stands. Raises ValueError without rows, LedgerError where a line there
    is damaged.
    """
    if not rows:
        raise ValueError("Expected rows to grade, found none.")
    phase = f"grade: {role}, {mode}"
    requests = {row.id: grade_request(row, role, mode, occasion_prefix) for row in rows}
    # A model that is still loading answers the first row late; the clock must not count that.
    first = rows[0].id
    grades = {first: client.grade(requests[first])}
    started = said_at = time.monotonic()
    futures = {client.submit(request): row_id for row_id, request in requests.items() if row_id != first}
    try:
        for future in as_completed(futures):
            grades[futures[future]] = future.result()
            if time.monotonic() - said_at >= _PROGRESS_EVERY_S or len(grades) == len(rows):
                said_at = time.monotonic()
                rate = len(grades) / max(said_at - started, 1e-9)
                progress.progress(phase, len(grades), len(rows), {f"{role}_verdicts_per_s": rate})
    finally:
        for future in futures:
            future.cancel()
    seconds = time.monotonic() - started

    verdicts = [verdict_row(row.id, grades[row.id]) for row in rows]
    paid = {key for grade in grades.values() if not grade.replayed for key in grade.trace_keys}
    # The first row's trace names the model even where the ledger answered every row.
    traces = list(_traces(run_dir, segments, paid | set(grades[first].trace_keys)))
    usages = {
        trace["key"]: trace.get("usage") or {}
        for trace in traces
        if trace.get("reused_from") is None and trace["key"] in paid
    }
    asked = [row_id for row_id, grade in grades.items() if not usages.keys().isdisjoint(grade.trace_keys)]
    timed = [row_id for row_id in asked if row_id != first]
    model, model_digest = _model(run_dir, role, traces)
    summary = GradingPass(
        role=role,
        mode=mode,
        model=model,
        model_digest=model_digest,
        rows=len(rows),
        rows_digest=rows_digest,
        traces_digest=_traces_digest(verdicts),
        asked=len(asked),
        seconds=round(seconds, 3) if timed else 0.0,
        verdicts_per_s=round(len(timed) / seconds, 3) if timed else None,
        gpus=gpus,
        prompt_tokens=sum(usage.get("prompt_tokens", 0) for usage in usages.values()),
        completion_tokens=sum(usage.get("completion_tokens", 0) for usage in usages.values()),
    )
    path = out / f"pass-{role}-{mode}.json"
    write_rows(out / f"verdicts-{role}-{mode}.jsonl", verdicts)
    earlier = _pass_over_the_same_traces(path, summary)
    if earlier is not None:
        return earlier
    write_atomically(path, summary.model_dump_json(indent=2) + "\n")
    return summary


def grade_request(row: AuditRow, role: Role, mode: Mode, occasion_prefix: str = "audit") -> GradeRequest:
    """Return what the gateway is asked about a row."""
    return GradeRequest(
        role=role,
        mode=mode,
        occasion=f"{occasion_prefix}:{row.id}",
        prompt=row.prompt,
        completion=row.completion,
        opponent=row.completion_b,
        ground_truth=row.ground_truth,
    )


def verdict_row(row_id: str, grade: Grade) -> VerdictRow:
    """Return the line that an audit keeps of a grade."""
    return VerdictRow(
        row_id=row_id,
        trace_keys=grade.trace_keys,
        verdict=grade.verdict,
        score=grade.score,
        value=grade.value,
        value_rule=grade.value_rule,
        p_pass=grade.p_pass,
        confidence=grade.confidence,
        distribution=grade.distribution,
        off_scale_mass=grade.off_scale_mass,
        preference=grade.preference,
        replayed=grade.replayed,
        latency_ms=grade.latency_ms,
    )


def _traces_digest(verdicts: Sequence[VerdictRow]) -> str:
    keys = [[verdict.row_id, *verdict.trace_keys] for verdict in verdicts]
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()


def _pass_over_the_same_traces(path: Path, summary: GradingPass) -> GradingPass | None:
    """The pass at `path`, whose cost and speed are known, if it asked for what the ledger answered now."""
    try:
        earlier = GradingPass.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    figures = {"asked", "seconds", "verdicts_per_s", "prompt_tokens", "completion_tokens"}
    same = earlier.model_dump(exclude=figures) == summary.model_dump(exclude=figures)
    return earlier if same and summary.asked == 0 else None


def _traces(run_dir: Path, segments: str, keys: set[str]) -> Iterator[dict[str, Any]]:
    for path in sorted((run_dir / "traces").glob(segments)):
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    # The gateway is writing its next line; no verdict of this pass is in it.
                    continue
                trace = json.loads(without_checksum(line, f"{path}:{number}"))
                if trace["key"] in keys:
                    yield trace


def _model(run_dir: Path, role: Role, traces: list[dict[str, Any]]) -> tuple[str, str | None]:
    """Name and digest of the model that answered, as the traces of the pass say, or else its endpoint."""
    if traces:
        return str(traces[0]["model"]), traces[0]["model_digest"]
    try:
        path = run_dir / "endpoints" / f"{role}.json"
        endpoint = Endpoint.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return role, None
    return endpoint.model, endpoint.model_digest
