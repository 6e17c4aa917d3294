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

from pydantic import BaseModel, ConfigDict

from gavel_train.contracts import LedgerSegment, MessagesRequest, RenderedMessages, Spec, Trace
from gavel_train.grader.chosen import Chosen, ChosenTrace, choose
from gavel_train.grader.contradicted import contradictions_of
from gavel_train.grader.counted import counted_traces
from gavel_train.grader.outcome import Outcome, outcome_of, shown_in
from gavel_train.judging.grading import Mode
from gavel_train.run.outcome import BadRequest

# The gateway's rendering: one answer a request, in order.
Render = Callable[[Sequence[MessagesRequest]], Sequence[RenderedMessages]]

# Below this a grader learns the frequencies of the scores and nothing about answers.
FEWEST_TRACES = 16
# Many times the calls that a gateway answers at once, and a few megabytes.
_RENDERED_AT_ONCE = 1000


class Lesson(BaseModel):
    """A trace, and what the grader is given that the judge was not.

    `answer_prefix` begins the grader's answer in the trace's mode: a judge that cannot continue a message
    was given none. `asked` has, for each mode that is learned and does not reason, its question about the
    same text and the reply that gives the trace's score. `contradicted`: by the verifier.
    """

    model_config = ConfigDict(extra="forbid")

    trace: Trace
    answer_prefix: str | None = None
    asked: dict[Mode, RenderedMessages] = {}
    contradicted: bool = False


@dataclass(frozen=True)
class Distilled:
    """The lessons that examples are made of, in order; how many of their traces have the verifier's word.

    `answers` has the replies that give the scores 0 to 9 in each mode that does not reason, where the judge's
    distribution over them is taught. Left out are `duplicates`, `excluded` traces on held-out prompts, and
    those `dropped` since the verifier contradicts them.
    """

    lessons: list[Lesson]
    answers: dict[Mode, list[str]]
    verified: int
    duplicates: int
    excluded: int
    dropped: int


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


def choose_traces(run_dir: Path, ledger: Sequence[LedgerSegment], spec: Spec) -> Chosen:
    """Choose the traces to distil; raises BadRequest for too few."""
    counted, max_examples = counted_traces(run_dir, ledger, spec.judge.panel), spec.sft.max_examples
    chosen = choose(
        ((each, prompt_hash(each.trace.prompt)) for each in counted),
        forbidden=held_out_prompts(run_dir),
        contradicts=contradictions_of(run_dir, spec.task),
        drop=spec.sft.contradicted == "drop",
        limit=max_examples,
    )
    if chosen.found == 0 and spec.judge.mode == "pairwise":
        raise BadRequest(
            "judge",
            f"Expected pairs in {run_dir / 'traces'} of which the judge says the same in both orders, found "
            "none: it prefers a position, as order_dependent in report/metrics.jsonl shows, and teaches no "
            "grader.",
        )
    if chosen.found == 0:
        raise BadRequest(None, f"Expected scored traces of the judge in {run_dir / 'traces'}, found none.")
    if chosen.count >= FEWEST_TRACES:
        return chosen
    of_which = f"{chosen.found} in all, {chosen.duplicates} repeated, {chosen.excluded} on held-out prompts"
    field = "sft.max_examples" if max_examples is not None and max_examples < FEWEST_TRACES else None
    advice = ""
    if field is None and chosen.dropped > 0:
        field = "sft.contradicted"
        of_which += f", {chosen.dropped} contradicted by the verifier and dropped"
        advice = " Set sft.contradicted to weight or keep, or look at what the judge gets wrong."
    raise BadRequest(
        field,
        f"Expected at least {FEWEST_TRACES} different scored traces of the judge in {run_dir}/traces, "
        f"found {chosen.count} ({of_which}).{advice}",
    )


def distil(run_dir: Path, ledger: Sequence[LedgerSegment], render: Render, spec: Spec) -> Distilled:
    """Choose the traces to distil and have what they do not hold rendered; raises BadRequest for too few."""
    chosen = choose_traces(run_dir, ledger, spec)
    modes = spec.sft.modes
    answers = {}
    if spec.sft.targets == "distribution":
        answers = answers_of(next(chosen.traces()).trace, render, modes)
    return Distilled(
        list(lessons_of(chosen.traces(), render, modes)),
        answers,
        verified=chosen.verified,
        duplicates=chosen.duplicates,
        excluded=chosen.excluded,
        dropped=chosen.dropped,
    )


def lessons_of(chosen: Iterator[ChosenTrace], render: Render, modes: Sequence[Mode]) -> Iterator[Lesson]:
    """Make the lessons of traces, in order; what they do not hold is rendered for many at a time."""
    without_reasons: list[Mode] = [mode for mode in dict.fromkeys(modes) if mode != "reasoned"]
    # How an answer begins and what gives a score is the rubric's to say, alike for all of a mode and a score.
    known: dict[tuple[Mode, Outcome | None], RenderedMessages] = {}
    while batch := list(islice(chosen, _RENDERED_AT_ONCE)):
        some = [each.trace for each in batch]
        others: list[tuple[Trace, Mode]] = [
            (trace, mode) for trace in some for mode in without_reasons if trace.mode != mode
        ]
        new = {_kind(trace): trace for trace in reversed(some) if trace.mode in modes}
        own: list[tuple[Trace, Mode]] = [
            (trace, trace.mode) for kind, trace in new.items() if kind not in known
        ]
        asked = [_question(trace, mode, outcome_of(trace)) for trace, mode in (*others, *own)]
        rendered = render(asked) if asked else []
        questions: dict[str, dict[Mode, RenderedMessages]] = {}
        for (trace, mode), one in zip(others, rendered, strict=False):
            questions.setdefault(trace.key, {})[mode] = one
        known |= {_kind(trace): one for (trace, _), one in zip(own, rendered[len(others) :], strict=True)}
        for each in batch:
            trace = each.trace
            mine = known.get(_kind(trace))
            about = questions.get(trace.key, {})
            if mine is not None and trace.mode in without_reasons:
                about[trace.mode] = _as_asked(trace, mine)
            # Each part was checked when it was read.
            yield Lesson.model_construct(
                trace=trace,
                answer_prefix=mine.answer_prefix if mine else None,
                asked=about,
                contradicted=each.contradicted,
            )


def answers_of(subject: Trace, render: Render, modes: Sequence[Mode]) -> dict[Mode, list[str]]:
    """Return the replies that give the scores 0 to 9 in each mode that does not reason.

    Two scores may have one reply. The rubric decides them, whatever the subject is.
    """
    answers: dict[Mode, list[str]] = {}
    without_reasons: list[Mode] = [mode for mode in modes if mode != "reasoned"]
    for mode in without_reasons:
        asked = [_question(subject, mode, score) for score in range(10)]
        answers[mode] = [one.reply for one in render(asked) if one.reply is not None]
        if len(answers[mode]) < len(asked):
            raise BadRequest("sft.targets", f"Expected a reply for each score in mode {mode}, found less.")
    return answers


def _kind(trace: Trace) -> tuple[Mode, Outcome | None]:
    """Return what decides how a reply in the trace's mode begins and ends; a reasoned one ends as it did."""
    return trace.mode, None if trace.mode == "reasoned" else outcome_of(trace)


def _as_asked(trace: Trace, rendered: RenderedMessages) -> RenderedMessages:
    """Return the judge's own question, with the beginning and the reply that the rubric gives its mode."""
    return RenderedMessages.model_construct(
        messages=trace.messages, answer_prefix=rendered.answer_prefix, reply=rendered.reply
    )


def _question(trace: Trace, mode: Mode, outcome: Outcome) -> MessagesRequest:
    completion, opponent = shown_in(trace)
    taught = None if mode == "reasoned" else outcome
    return MessagesRequest(
        mode=mode,
        prompt=trace.prompt,
        completion=completion,
        opponent=opponent,
        ground_truth=trace.ground_truth,
        score=taught if isinstance(taught, int) else None,
        preferred=None if isinstance(taught, int) else taught,
    )
