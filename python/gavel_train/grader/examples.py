"""Chat examples for the grader, made from the traces that the judge left in the ledger.

A trace gives up to one example a mode: the judge's own messages and reply (reasoned), and the question of
each mode that does not reason, with the reply that gives the judge's score.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gavel_train.contracts import RenderedMessages, SftSpec, Trace
from gavel_train.grader.lessons import Distilled, Lesson, Mode, prompt_hash
from gavel_train.run.outcome import BadRequest

# A score that the judge hardly ever gave would otherwise be a handful of answers learnt by heart.
_LARGEST_BALANCE = 8.0
# The last digit of a reply, whatever Markdown and TeX close after it: "**Score**: 7/9".
_LAST_DIGIT = re.compile(r"([0-9])(?:[\W_]*(?:/|out of)\s*9)?[\W_]*\Z")


@dataclass(frozen=True)
class Example:
    """One conversation: the messages given, the reply to learn, how much its loss counts (1 on average).

    `answer_prefix` begins the reply and is given too.
    """

    key: str
    mode: Mode
    messages: list[dict[str, str]]
    reply: str
    score: int
    weight: float = 1.0
    answer_prefix: str | None = None


@dataclass(frozen=True)
class Examples:
    """The training set and the held-out set, split by prompt, with the facts that a model card states."""

    train: list[Example]
    holdout: list[Example]
    traces: int
    prompts: int
    duplicates: int
    excluded: int
    scores: dict[int, int]
    judge_models: list[str]
    rubric_digests: list[str]


def examples_of(distilled: Distilled, sft: SftSpec) -> Examples:
    """Make the examples of lessons; the same lessons give the same examples. Raises BadRequest."""
    modes = sft.modes
    kept = [lesson.trace for lesson in distilled.lessons]
    check_modes({trace.mode for trace in kept}, modes)
    held = held_out({prompt_hash(trace.prompt) for trace in kept}, sft.holdout, sft.seed)

    def is_held(lesson: Lesson) -> bool:
        return prompt_hash(lesson.trace.prompt) in held

    train = _balanced([lesson for lesson in distilled.lessons if not is_held(lesson)], sft.balance)
    return Examples(
        train=[e for lesson, weight, copy in train for e in examples_of_one(lesson, modes, weight, copy)],
        holdout=[
            e for lesson in distilled.lessons if is_held(lesson) for e in examples_of_one(lesson, modes)
        ],
        traces=len(kept),
        prompts=len({prompt_hash(trace.prompt) for trace in kept}),
        duplicates=distilled.duplicates,
        excluded=distilled.excluded,
        scores=dict(sorted(Counter(_score(trace) for trace in kept).items())),
        judge_models=sorted({trace.model for trace in kept}),
        rubric_digests=sorted({trace.rubric_digest for trace in kept if trace.rubric_digest}),
    )


def _score(trace: Trace) -> int:
    if trace.score is None:
        raise BadRequest(None, f"Expected a score in the scored trace {trace.key}, found none.")
    return trace.score


def check_modes(found: Collection[str], modes: Sequence[Mode]) -> None:
    """Raise BadRequest where reasoning is to be learned and no trace `found` has any."""
    if "reasoned" in modes and "reasoned" not in found:
        raise BadRequest(
            "sft.modes",
            "Expected traces with reasoning, since sft.modes holds reasoned, found only "
            f"{', '.join(sorted(found))} ones: let the judge reason (judge.mode) or leave reasoned out.",
        )


def held_out(prompts: Collection[str], holdout: float, seed: int) -> set[str]:
    """Return the share of the hashes of prompts, at least one, whose salted hash sorts first."""
    if len(prompts) < 2:
        raise BadRequest(
            None, f"Expected traces on at least 2 different prompts to hold one out, found {len(prompts)}."
        )
    ranked = sorted(prompts, key=lambda digest: hashlib.sha256(f"{seed}:{digest}".encode()).digest())
    return set(ranked[: min(len(prompts) - 1, max(1, round(holdout * len(prompts))))])


def _balanced(lessons: Sequence[Lesson], balance: str) -> list[tuple[Lesson, float, int]]:
    """(lesson, weight, copy) with rare scores repeated or weighted up, at most _LARGEST_BALANCE times."""
    scores = [_score(lesson.trace) for lesson in lessons]
    counts = Counter(scores)
    most = max(counts.values())
    factors = [min(_LARGEST_BALANCE, most / counts[score]) for score in scores]
    pairs = list(zip(lessons, factors, strict=True))
    if balance == "oversample":
        return [(lesson, 1.0, copy) for lesson, factor in pairs for copy in range(round(factor))]
    if balance == "weight":
        mean = sum(factors) / len(factors)
        return [(lesson, factor / mean, 0) for lesson, factor in pairs]
    return [(lesson, 1.0, 0) for lesson in lessons]


def examples_of_one(
    lesson: Lesson, modes: Sequence[Mode], weight: float = 1.0, copy: int = 0
) -> list[Example]:
    """Make the examples of one lesson: at most one a mode. Raises BadRequest."""
    trace, score = lesson.trace, _score(lesson.trace)
    key = trace.key if copy == 0 else f"{trace.key}-{copy}"
    # Never the trace's prefix: the grader is given the rubric's, whatever the judge could be given.
    asked = RenderedMessages.model_construct(
        messages=trace.messages, answer_prefix=lesson.answer_prefix, reply=None
    )
    examples = []
    if "reasoned" in modes and trace.mode == "reasoned" and _writes_its_score(trace):
        reply = taught_reply(trace)
        if trace.answer_prefix is None and asked.answer_prefix is not None:
            # A judge that was given no beginning may have written it.
            reply = reply.removeprefix(asked.answer_prefix)
        examples.append(_example(f"{key}:reasoned", "reasoned", asked, reply, score, weight))
    for mode in dict.fromkeys(modes):
        if mode == "reasoned":
            continue
        question = lesson.asked.get(mode)
        if question is None or question.reply is None:
            raise BadRequest(
                "sft.modes", f"Expected the question and the reply of mode {mode} about trace {trace.key}."
            )
        examples.append(_example(f"{key}:{mode}", mode, question, question.reply, score, weight))
    return examples


def _writes_its_score(trace: Trace) -> bool:
    """Whether the reply ends in the trace's score, and not in a digit that was sampled against the odds.

    The score is the most probable digit. Where no probabilities are known it is the digit that was read.
    """
    if trace.distribution is None:
        return True
    written = _LAST_DIGIT.search(trace.reply)
    return written is not None and int(written[1]) == trace.score


def taught_reply(trace: Trace) -> str:
    """Return what the grader learns to write: the judge's thinking, if it was kept apart, then its reply.

    The reply alone would be a bare "Score: N": a verdict without its reasons.
    """
    if trace.thinking is None or not trace.thinking.strip():
        return trace.reply
    return f"{trace.thinking.strip()}\n\n{trace.reply.lstrip()}"


def whole_answer(answer_prefix: str | None, reply: str) -> dict[str, str]:
    """Return an answer, its beginning and the rest, as the last message of an exported conversation."""
    return {"role": "assistant", "content": (answer_prefix or "") + reply}


def _example(
    key: str, mode: Mode, question: RenderedMessages, reply: str, score: int, weight: float
) -> Example:
    messages = [{"role": message.role, "content": message.content} for message in question.messages]
    return Example(key, mode, messages, reply, score, weight, question.answer_prefix)
