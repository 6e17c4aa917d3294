"""The traces to distil, chosen from the ledger, with what the judge was not asked and the grader will be.

Everything is ordered by trace key, so that the order in which a gateway happened to write changes nothing.
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from gavel_train.contracts import LedgerSegment, MessagesRequest, PanelSpec, RenderedMessages, Trace
from gavel_train.grader.chosen import Chosen, choose
from gavel_train.grader.counted import counted_traces
from gavel_train.run.outcome import BadRequest

Mode = Literal["reasoned", "single_token"]
# The gateway's rendering: one answer a request, in order.
Render = Callable[[Sequence[MessagesRequest]], Sequence[RenderedMessages]]

# Below this a grader learns the frequencies of the scores and nothing about answers.
FEWEST_TRACES = 16
# Many times the calls that a gateway answers at once, and a few megabytes.
_RENDERED_AT_ONCE = 1000


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


def choose_traces(
    run_dir: Path, ledger: Sequence[LedgerSegment], *, panel: PanelSpec, max_examples: int | None = None
) -> Chosen:
    """Choose the traces to distil; raises BadRequest for too few."""
    chosen = choose(
        ((each, prompt_hash(each.trace.prompt)) for each in counted_traces(run_dir, ledger, panel)),
        forbidden=held_out_prompts(run_dir),
        limit=max_examples,
    )
    if chosen.found == 0:
        raise BadRequest(None, f"Expected scored traces of the judge in {run_dir / 'traces'}, found none.")
    if chosen.count < FEWEST_TRACES:
        raise BadRequest(
            "sft.max_examples" if max_examples is not None and max_examples < FEWEST_TRACES else None,
            f"Expected at least {FEWEST_TRACES} different scored traces of the judge in {run_dir}/traces, "
            f"found {chosen.count} ({chosen.found} in all, {chosen.duplicates} repeated, "
            f"{chosen.excluded} on held-out prompts).",
        )
    return chosen


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
    chosen = choose_traces(run_dir, ledger, panel=panel, max_examples=max_examples)
    lessons = list(lessons_of(chosen.traces(), render, modes))
    return Distilled(lessons, chosen.duplicates, chosen.excluded)


def lessons_of(traces: Iterator[Trace], render: Render, modes: Sequence[Mode]) -> Iterator[Lesson]:
    """Make the lessons of traces, in order; what they do not hold is rendered for many at a time."""
    prefixes: dict[Mode, str | None] = {}
    while some := list(islice(traces, _RENDERED_AT_ONCE)):
        others = [trace for trace in some if "single_token" in modes and trace.mode != "single_token"]
        # How an answer begins is the rubric's to say, alike for all of a mode: one of each is asked about.
        new = [trace for trace in reversed(some) if trace.mode in modes and trace.mode not in prefixes]
        own: dict[Mode, Trace] = {trace.mode: trace for trace in new}
        asked = [_question(trace, "single_token") for trace in others]
        asked += [_question(trace, mode) for mode, trace in own.items()]
        rendered = render(asked) if asked else []
        questions = {trace.key: question for trace, question in zip(others, rendered, strict=False)}
        prefixes |= {mode: one.answer_prefix for mode, one in zip(own, rendered[len(others) :], strict=True)}
        for trace in some:
            # Each part was checked when it was read.
            yield Lesson.model_construct(
                trace=trace,
                answer_prefix=prefixes.get(trace.mode),
                single_token=questions.get(trace.key),
            )


def _question(trace: Trace, mode: Mode) -> MessagesRequest:
    return MessagesRequest(
        mode=mode, prompt=trace.prompt, completion=trace.completion, ground_truth=trace.ground_truth
    )
