"""The traces to distil, chosen from the ledger, with what the judge was not asked and the grader will be.

Everything is ordered by trace key, so that the order in which a gateway happened to write changes nothing.
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from gavel_train.contracts import LedgerSegment, MessagesRequest, PanelSpec, RenderedMessages, Trace
from gavel_train.grader.counted import counted_traces
from gavel_train.run.outcome import BadRequest

Mode = Literal["reasoned", "single_token"]
# The gateway's rendering: one answer a request, in order.
Render = Callable[[Sequence[MessagesRequest]], Sequence[RenderedMessages]]

# Below this a grader learns the frequencies of the scores and nothing about answers.
FEWEST_TRACES = 16


class Lesson(BaseModel):
    """A trace, and what the grader is given that the judge was not.

    `answer_prefix` begins the grader's answer in the trace's mode: a judge that cannot continue a message
    was given none. `single_token` is that question, where it is learned and was not the judge's.
    """

    trace: Trace
    answer_prefix: str | None = None
    single_token: RenderedMessages | None = None


@dataclass(frozen=True)
class Distilled:
    """The lessons that examples are made of, in order; traces left out as repeats, and as held out."""

    lessons: list[Lesson]
    duplicates: int
    excluded: int


# A prompt comes back with each of its completions.
@lru_cache(maxsize=1 << 14)
def prompt_hash(prompt: str) -> str:
    """Identity of a prompt: sha256 of its text, case and white space evened out."""
    text = " ".join(unicodedata.normalize("NFC", prompt).casefold().split())
    return hashlib.sha256(text.encode()).hexdigest()


def held_out_prompts(run_dir: Path) -> set[str]:
    """Hashes of the prompts of the eval and audit splits, which no grader may be trained on."""
    hashes = set()
    for split in ("eval", "audit"):
        path = run_dir / "data" / f"{split}.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as lines:
                hashes.update(prompt_hash(json.loads(line)["prompt"]) for line in lines if line.strip())
    return hashes


def distil(
    run_dir: Path,
    ledger: Sequence[LedgerSegment],
    render: Render,
    *,
    panel: PanelSpec,
    modes: Sequence[Mode],
    max_examples: int | None = None,
) -> Distilled:
    """Choose the traces to distil and have what they do not hold rendered; raises BadRequest for too few."""
    found = sorted(counted_traces(run_dir, ledger, panel), key=lambda trace: trace.key)
    if not found:
        raise BadRequest(None, f"Expected scored traces of the judge in {run_dir / 'traces'}, found none.")
    forbidden = held_out_prompts(run_dir)
    allowed = [trace for trace in found if prompt_hash(trace.prompt) not in forbidden]
    kept = _distinct(allowed)
    duplicates = len(allowed) - len(kept)
    if max_examples is not None:
        kept = kept[:max_examples]
    if len(kept) < FEWEST_TRACES:
        raise BadRequest(
            "sft.max_examples" if max_examples is not None and max_examples < FEWEST_TRACES else None,
            f"Expected at least {FEWEST_TRACES} different scored traces of the judge in {run_dir}/traces, "
            f"found {len(kept)} ({len(found)} in all, {duplicates} repeated, "
            f"{len(found) - len(allowed)} on held-out prompts).",
        )
    return Distilled(_lessons(kept, render, modes), duplicates, excluded=len(found) - len(allowed))


def _distinct(traces: Sequence[Trace]) -> list[Trace]:
    """One trace for each different prompt, completion and reply: votes that differ stay, repeats go."""
    first: dict[tuple[str, str, str | None, str], Trace] = {}
    for trace in traces:
        first.setdefault((prompt_hash(trace.prompt), trace.completion, trace.thinking, trace.reply), trace)
    return list(first.values())


def _lessons(traces: Sequence[Trace], render: Render, modes: Sequence[Mode]) -> list[Lesson]:
    others = [trace for trace in traces if "single_token" in modes and trace.mode != "single_token"]
    # How an answer begins is the rubric's to say, alike for all traces of a mode: one of each is asked about.
    own: dict[Mode, Trace] = {trace.mode: trace for trace in reversed(traces) if trace.mode in modes}
    asked = [_question(trace, "single_token") for trace in others]
    rendered = render([*asked, *(_question(trace, mode) for mode, trace in own.items())])
    questions = {trace.key: question for trace, question in zip(others, rendered, strict=False)}
    prefixes = {mode: one.answer_prefix for mode, one in zip(own, rendered[len(others) :], strict=True)}
    return [
        # Each part was checked when it was read.
        Lesson.model_construct(
            trace=trace,
            answer_prefix=prefixes.get(trace.mode),
            single_token=questions.get(trace.key),
        )
        for trace in traces
    ]


def _question(trace: Trace, mode: Mode) -> MessagesRequest:
    return MessagesRequest(
        mode=mode, prompt=trace.prompt, completion=trace.completion, ground_truth=trace.ground_truth
    )
