"""Exports a run: `python -m gavel_train.grader.export REQUEST`, the path of an ExportRequest in JSON.

verl     parquet of the prompts of one split, as verl's RLHFDataset reads it
sft      JSONL of the grader's training examples, all modes: {"messages": [...], "mode", "score", "split"}
openai   JSONL of the judge's traces as OpenAI's fine-tuning takes it: {"messages": [...]}
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from gavel_train.contracts import ExportRequest, LedgerSegment, MessagesRequest, RenderedMessages, Spec
from gavel_train.grader.counted import counted_traces
from gavel_train.grader.examples import (
    check_modes,
    examples_of_one,
    held_out,
    taught_reply,
    whole_answer,
)
from gavel_train.grader.lessons import Render, choose_traces, lessons_of, prompt_hash
from gavel_train.judging.gateway import GatewayAway, GatewayClient, GatewayFailed
from gavel_train.run.directory import fsync_path, read_prompts
from gavel_train.run.ledger import LedgerError
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.conversation import messages_of

# verl picks the reward function of a row by its data source; its own gsm8k check is known by this name.
_DATA_SOURCES = {"gsm8k": "openai/gsm8k"}

# Rendering costs the gateway microseconds; more would only open sockets.
_CONCURRENCY = 32


def verl_rows(run_dir: Path, spec: Spec, split: str) -> list[dict[str, Any]]:
    """Rows of verl's RLHF format: a chat prompt, how it is rewarded, and where it comes from."""
    if not (run_dir / "data" / f"{split}.jsonl").is_file():
        raise BadRequest(
            None, f"Expected the prompts of the run at {run_dir}/data/{split}.jsonl, found no such file."
        )
    return [
        {
            "data_source": _DATA_SOURCES.get(spec.task.name, f"gavel/{spec.task.name}"),
            "prompt": messages_of(row),
            "ability": "math" if spec.task.name in ("poly_easy", "gsm8k") else "other",
            "reward_model": {"style": "rule", "ground_truth": row.ground_truth or ""},
            "extra_info": {"index": index, "split": split, "id": row.id},
        }
        for index, row in enumerate(read_prompts(run_dir, split))
    ]


def sft_rows(
    run_dir: Path, spec: Spec, ledger: Sequence[LedgerSegment], render: Render
) -> Iterable[dict[str, Any]]:
    """The very conversations that stage sft trains on and holds out; no repeats, weights or soft targets."""
    sft = spec.sft
    chosen = choose_traces(run_dir, ledger, spec)
    check_modes(chosen.modes, sft.modes)
    held = held_out(chosen.prompts, sft.holdout, sft.seed)
    ordered = chain(chosen.traces(chosen.prompts - held), chosen.traces(held))
    for lesson in lessons_of(ordered, render, sft.modes):
        split = "holdout" if prompt_hash(lesson.trace.prompt) in held else "train"
        for example in examples_of_one(lesson, sft.modes):
            yield {
                "messages": [*example.messages, whole_answer(example.answer_prefix, example.reply)],
                "mode": example.mode,
                "score": example.score,
                "split": split,
            }


def openai_rows(run_dir: Path, spec: Spec, ledger: Sequence[LedgerSegment]) -> Iterable[dict[str, Any]]:
    """Each trace of the judge that counts as the conversation that it was, thinking and all."""
    for trace in (each.trace for each in counted_traces(run_dir, ledger, spec.judge.panel)):
        given = [{"role": message.role, "content": message.content} for message in trace.messages]
        yield {"messages": [*given, whole_answer(trace.answer_prefix, taught_reply(trace))]}


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as parquet, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows), partial)


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows one by one, whole or not at all, and return how many; none leave no file."""
    written = 0
    with _replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for written, row in enumerate(rows, start=1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return written


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write, which then replaces `path` where anything was written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if partial.stat().st_size > 0:
            fsync_path(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    fsync_path(path.parent)


def export(request: ExportRequest, render: Render) -> int:
    """Write the export and return its number of rows; raises BadRequest where it cannot be made."""
    run_dir, out = Path(request.run_dir), Path(request.out)
    spec_path = run_dir / "spec.json"
    if not spec_path.is_file():
        raise BadRequest(None, f"Expected a run directory with a spec.json at {run_dir}, found none.")
    if out.exists() and not request.force:
        raise BadRequest(None, f"Expected no file at {out}, found one: give --force to replace it.")
    if not out.parent.is_dir():
        raise BadRequest(None, f"Expected a folder at {out.parent}, found none.")
    if request.format == "verl" and out.suffix != ".parquet":
        raise BadRequest(None, f"Expected --out to end in .parquet, which verl insists on, found {out.name}.")
    spec = Spec.model_validate_json(spec_path.read_bytes())
    if request.format == "verl":
        rows = verl_rows(run_dir, spec, request.split)
        if rows:
            write_parquet(out, rows)
        written = len(rows)
    elif request.format == "sft":
        written = write_json_lines(out, sft_rows(run_dir, spec, request.ledger, render))
    else:
        written = write_json_lines(out, openai_rows(run_dir, spec, request.ledger))
    if written == 0:
        raise BadRequest(
            None, f"Expected something to export in {run_dir}, found nothing for format {request.format}."
        )
    return written


def render_through(gateway_url: str) -> Render:
    """Have the gateway at a URL render; its key is in GAVEL_API_KEY."""

    def render(requests: Sequence[MessagesRequest]) -> list[RenderedMessages]:
        client = GatewayClient(gateway_url, os.environ.get("GAVEL_API_KEY", ""), concurrency=_CONCURRENCY)
        try:
            return client.render_many(requests)
        finally:
            client.close()

    return render


def main() -> NoReturn:
    """Read the request; exits 0 with one JSON line, or 2 with one line of what is wrong."""
    if len(sys.argv) != 2:
        print("usage: python -m gavel_train.grader.export REQUEST", file=sys.stderr)
        raise SystemExit(2)
    try:
        request = ExportRequest.model_validate_json(Path(sys.argv[1]).read_bytes())
        rows = export(request, render_through(str(request.gateway_url)))
    except (BadRequest, GatewayAway, GatewayFailed, LedgerError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print(json.dumps({"format": request.format, "rows": rows, "out": request.out}))
    raise SystemExit(0)


if __name__ == "__main__":
    main()
