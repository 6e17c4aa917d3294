"""Exports a run: `python -m gavel_train.grader.export RUN_DIR --format verl|sft|openai --out FILE`.

verl     parquet of the prompts, as verl's RLHFDataset reads it (one split, `--split`, default train)
sft      JSONL of the grader's training examples, both modes: {"messages": [...], "mode", "score", "split"}
openai   JSONL of the judge's traces as OpenAI's fine-tuning takes it: {"messages": [...]}
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from gavel_train.contracts import Spec
from gavel_train.grader.examples import build_examples, judge_traces
from gavel_train.judging.rubric import load_rubric
from gavel_train.run.directory import RUBRIC, fsync_path, read_prompts, write_atomically
from gavel_train.run.ledger import LedgerError
from gavel_train.run.outcome import BadRequest

FORMATS = ("verl", "sft", "openai")
SPLITS = ("train", "eval", "audit")

# verl picks the reward function of a row by its data source; its own gsm8k check is known by this name.
_DATA_SOURCES = {"gsm8k": "openai/gsm8k"}


def verl_rows(run_dir: Path, spec: Spec, split: str) -> list[dict[str, Any]]:
    """Rows of verl's RLHF format: a chat prompt, how it is rewarded, and where it comes from."""
    if not (run_dir / "data" / f"{split}.jsonl").is_file():
        raise BadRequest(
            None, f"Expected the prompts of the run at {run_dir}/data/{split}.jsonl, found no such file."
        )
    return [
        {
            "data_source": _DATA_SOURCES.get(spec.task.name, f"gavel/{spec.task.name}"),
            "prompt": [{"role": "user", "content": row.prompt}],
            "ability": "math" if spec.task.name in ("poly_easy", "gsm8k") else "other",
            "reward_model": {"style": "rule", "ground_truth": row.ground_truth or ""},
            "extra_info": {"index": index, "split": split, "id": row.id},
        }
        for index, row in enumerate(read_prompts(run_dir, split))
    ]


def sft_rows(run_dir: Path, spec: Spec) -> Iterable[dict[str, Any]]:
    """The very conversations that stage sft trains on and holds out, without repeats or weights."""
    examples = build_examples(
        run_dir,
        load_rubric(run_dir / RUBRIC),
        modes=spec.sft.modes,
        holdout=spec.sft.holdout,
        max_examples=spec.sft.max_examples,
        seed=spec.sft.seed,
    )
    for split, found in (("train", examples.train), ("holdout", examples.holdout)):
        for example in found:
            reply = {"role": "assistant", "content": example.reply}
            yield {
                "messages": [*example.messages, reply],
                "mode": example.mode,
                "score": example.score,
                "split": split,
            }


def openai_rows(run_dir: Path) -> Iterable[dict[str, Any]]:
    """Each scored trace of the judge as the conversation that it was."""
    for trace in judge_traces(run_dir):
        given = [{"role": message.role, "content": message.content} for message in trace.messages]
        yield {"messages": [*given, {"role": "assistant", "content": trace.reply}]}


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as parquet, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        pq.write_table(pa.Table.from_pylist(rows), partial)
        fsync_path(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    fsync_path(path.parent)


def export(run_dir: Path, form: str, out: Path, *, split: str, force: bool) -> int:
    """Write the export and return its number of rows; raises BadRequest where it cannot be made."""
    spec_path = run_dir / "spec.json"
    if not spec_path.is_file():
        raise BadRequest(None, f"Expected a run directory with a spec.json at {run_dir}, found none.")
    if out.exists() and not force:
        raise BadRequest(None, f"Expected no file at {out}, found one: give --force to replace it.")
    if not out.parent.is_dir():
        raise BadRequest(None, f"Expected a folder at {out.parent}, found none.")
    spec = Spec.model_validate_json(spec_path.read_bytes())
    if form == "verl":
        if out.suffix != ".parquet":
            raise BadRequest(
                None, f"Expected --out to end in .parquet, which verl insists on, found {out.name}."
            )
        rows = verl_rows(run_dir, spec, split)
    else:
        rows = list(sft_rows(run_dir, spec) if form == "sft" else openai_rows(run_dir))
    if not rows:
        raise BadRequest(None, f"Expected something to export in {run_dir}, found nothing for format {form}.")
    if form == "verl":
        write_parquet(out, rows)
    else:
        write_atomically(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def main() -> NoReturn:
    """Parse the command line; exits 0 with one JSON line, or 2 with one line of what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m gavel_train.grader.export")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--split", default="train", choices=SPLITS, help="verl: which prompts")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    given = parser.parse_args()
    run_dir = given.run_dir.resolve()
    try:
        rows = export(run_dir, given.format, given.out.resolve(), split=given.split, force=given.force)
    except (BadRequest, LedgerError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print(json.dumps({"format": given.format, "rows": rows, "out": str(given.out)}))
    raise SystemExit(0)


if __name__ == "__main__":
    main()
