"""One side of `ledger` in Python, in a process of its own: `python -m figures.ledger_side TASK SIDE ROOT`.

It prints seconds, the peak of resident memory and how many rows the work found. A plain side is a loop over
JSON Lines: no checksums and no contracts.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gavel_train.contracts import ExportRequest, LedgerSegment, MessagesRequest, RenderedMessages
from gavel_train.grader.export import export


def main() -> None:
    """Run the task and print what it took."""
    task, side, root = sys.argv[1:]
    run_dir = Path(root) / "runs" / "bench"
    began = time.perf_counter()
    found = _TASKS[task, side](run_dir)
    seconds = time.perf_counter() - began
    # ru_maxrss would hold the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "found": found}))


def _segments(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "traces").glob("*.jsonl"))


def _plain_traces(run_dir: Path) -> Iterator[dict[str, Any]]:
    for path in _segments(run_dir):
        with path.open("rb") as lines:
            for line in lines:
                yield json.loads(line)


def _plain_export(run_dir: Path) -> int:
    spec = json.loads((run_dir / "spec.json").read_text())["sft"]
    seen: set[str] = set()
    kept: list[dict[str, Any]] = []
    for trace in _plain_traces(run_dir):
        if trace["key"] in seen:
            continue
        seen.add(trace["key"])
        judged = trace["stage"] == "grpo" and trace["role"] == "judge" and trace["verdict"] == "scored"
        if judged and trace["occasion"].startswith("grpo:"):
            kept.append(trace)
    kept.sort(key=lambda trace: trace["key"])
    distinct: dict[tuple[str, ...], dict[str, Any]] = {}
    for trace in kept:
        hashed = _prompt_hash(trace["prompt"])
        distinct.setdefault((hashed, trace["completion"], trace["thinking"], trace["reply"]), trace)
    prompts = sorted({hashed for hashed, *_ in distinct}, key=lambda each: _salted(each, spec["seed"]))
    held = set(prompts[: max(1, round(spec["holdout"] * len(prompts)))])
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "holdout": []}
    for (hashed, *_), trace in distinct.items():
        splits["holdout" if hashed in held else "train"].append(trace)
    with (run_dir / "plain.jsonl").open("w") as out:
        for split, traces in splits.items():
            for trace in traces:
                messages = [*trace["messages"], {"role": "assistant", "content": trace["reply"]}]
                row = {
                    "messages": messages,
                    "mode": trace["mode"],
                    "score": trace["score"],
                    "split": split,
                }
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(distinct)


def _prompt_hash(prompt: str) -> str:
    text = " ".join(unicodedata.normalize("NFC", prompt).casefold().split())
    return hashlib.sha256(text.encode()).hexdigest()


def _salted(hashed: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{hashed}".encode()).digest()


def _render(requests: Sequence[MessagesRequest]) -> list[RenderedMessages]:
    """Answer for the gateway, which is asked once here: how an answer in the traces' mode begins."""
    asked = [{"role": "user", "content": request.prompt} for request in requests]
    nothing = {"answer_prefix": None, "reply": None}
    return [RenderedMessages.model_validate({"messages": [each], **nothing}) for each in asked]


def _export(run_dir: Path) -> int:
    ledger = [
        LedgerSegment(path=str(path.relative_to(run_dir)), stage="grpo", bytes=path.stat().st_size)
        for path in _segments(run_dir)
    ]
    request = ExportRequest(
        run_dir=str(run_dir),
        out=str(run_dir / "gavel.jsonl"),
        format="sft",
        split="train",
        force=True,
        ledger=ledger,
        gateway_url="http://127.0.0.1:1/v1",
    )
    rows = export(request, _render)
    plain = run_dir / "plain.jsonl"
    if plain.exists() and not filecmp.cmp(plain, run_dir / "gavel.jsonl", shallow=False):
        raise SystemExit("The sides of the export wrote different files.")
    return rows


_TASKS: dict[tuple[str, str], Callable[[Path], int]] = {
    ("export", "plain"): _plain_export,
    ("export", "gavel"): _export,
}


if __name__ == "__main__":
    main()
