"""Chat examples for the grader, made from the traces that the judge left in the ledger.

A trace gives up to one example a mode: the judge's own messages and reply (reasoned), and the question of
each mode that does not reason, with the reply that gives the judge's score.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gavel_train.contracts import RenderedMessages, SftSpec, Trace
from gavel_train.grader.lessons import Distilled, Lesson, Mode, prompt_hash
from gavel_train.grader.outcome import outcome_of
from gavel_train.grader.soft_targets import Candidate, candidates_of
from gavel_train.run.outcome import BadRequest

# A score that the judge hardly ever gave would otherwise be a handful of answers learnt by heart.
_LARGEST_BALANCE = 8.0
# The last digit of a reply, whatever Markdown and TeX close after it: "**Score**: 7/9".
_LAST_DIGIT = re.compile(r"([0-9])(?:[\W_]*(?:/|out of)\s*9)?[\W_]*\Z")


@dataclass(frozen=True)
class Example:
    """One conversation: the messages given, the reply to learn, how much its loss counts (1 on average).

    `answer_prefix` begins the reply and is given too. Where the judge's `distribution` over the scores is
    learned, `answers` are the replies that give them; None: the reply with each score in place of its last.
    """

    key: str
    mode: Mode
    messages: list[dict[str, str]]
    reply: str
    score: int | None
    weight: float = 1.0
    answer_prefix: str | None = None
    distribution: Sequence[float] | None = None
    answers: Sequence[str] | None = None

    def candidates(self) -> list[Candidate]:
        """Return the replies that may stand here with the judge's probabilities; none without them."""
        if self.distribution is None:
            return []
        return candidates_of(self.answers or _with_each_score(self.reply), self.distribution)


@dataclass(frozen=True)
class Examples:
    """The training set and the held-out set, split by prompt, with the facts that a model card states."""

    train: list[Example]
    holdout: list[Example]
    traces: int
    distributions: int
    prompts: int
    verified: int
    contradicted: int
    duplicates: int
    excluded: int
    dropped: int
    outcomes: dict[int | str, int]
    judge_models: list[str]
    rubric_digests: list[str]


def examples_of(distilled: Distilled, sft: SftSpec) -> Examples:
    """Make the examples of lessons; the same lessons give the same examples. Raises BadRequest."""
    modes, answers = sft.modes, distilled.answers if sft.targets == "distribution" else None
    kept = [lesson.trace for lesson in distilled.lessons]
    check_modes({trace.mode for trace in kept}, modes)
    held = held_out({prompt_hash(trace.prompt) for trace in kept}, sft.holdout, sft.seed)

    def is_held(lesson: Lesson) -> bool:
        return prompt_hash(lesson.trace.prompt) in held

    train = _weighted([lesson for lesson in distilled.lessons if not is_held(lesson)], sft)
    return Examples(
        train=[
            example
            for lesson, weight, copy in train
            for example in examples_of_one(lesson, modes, weight, copy, answers)
        ],
        holdout=[
            example
            for lesson in distilled.lessons
            if is_held(lesson)
            for example in examples_of_one(lesson, modes, answers=answers)
        ],
        traces=len(kept),
        distributions=sum(trace.distribution is not None for trace in kept),
        prompts=len({prompt_hash(trace.prompt) for trace in kept}),
        verified=distilled.verified,
        contradicted=sum(lesson.contradicted for lesson in distilled.lessons),
        duplicates=distilled.duplicates,
        excluded=distilled.excluded,
        dropped=distilled.dropped,
        outcomes=dict(sorted(Counter(outcome_of(trace) for trace in kept).items())),
        judge_models=sorted({trace.model for trace in kept}),
        rubric_digests=sorted({trace.rubric_digest for trace in kept if trace.rubric_digest}),
    )


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


def _weighted(lessons: Sequence[Lesson], sft: SftSpec) -> list[tuple[Lesson, float, int]]:
    """(lesson, weight, copy) with rare scores repeated or weighted up, and contradicted ones weighted down.

    Both factors are multiplied, and the products divided by their mean.
    """
    balanced = _balanced(lessons, sft.balance)
    less = sft.contradicted_weight if sft.contradicted == "weight" else 1.0
    weights = [weight * (less if lesson.contradicted else 1.0) for lesson, weight, _ in balanced]
    mean = sum(weights) / len(weights)
    return [
        (lesson, weight / mean, copy) for (lesson, _, copy), weight in zip(balanced, weights, strict=True)
    ]


def _balanced(lessons: Sequence[Lesson], balance: str) -> list[tuple[Lesson, float, int]]:
    """(lesson, factor, copy) for scores that are rare, at most _LARGEST_BALANCE times."""
    outcomes = [outcome_of(lesson.trace) for lesson in lessons]
    counts = Counter(outcomes)
    most = max(counts.values())
    factors = [min(_LARGEST_BALANCE, most / counts[outcome]) for outcome in outcomes]
    pairs = list(zip(lessons, factors, strict=True))
    if balance == "oversample":
        return [(lesson, 1.0, copy) for lesson, factor in pairs for copy in range(round(factor))]
    if balance == "weight":
        return [(lesson, factor, 0) for lesson, factor in pairs]
    return [(lesson, 1.0, 0) for lesson in lessons]


def examples_of_one(
    lesson: Lesson,
    modes: Sequence[Mode],
    weight: float = 1.0,
    copy: int = 0,
    answers: Mapping[Mode, Sequence[str]] | None = None,
) -> list[Example]:
    """Make the examples of one lesson: at most one a mode. Raises BadRequest.

    With `answers`, the replies that give the scores 0 to 9 in each mode that does not reason, the judge's
    distribution is learned where the trace has one.
    """
    trace, score = lesson.trace, lesson.trace.score
    soft = trace.distribution.root if answers is not None and trace.distribution is not None else None
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
        example = _example(f"{key}:reasoned", "reasoned", asked, reply, score, weight)
        examples.append(example if soft is None else replace(example, distribution=soft))
    for mode in dict.fromkeys(modes):
        if mode == "reasoned":
            continue
        question = lesson.asked.get(mode)
        if question is None or question.reply is None:
            raise BadRequest(
                "sft.modes", f"Expected the question and the reply of mode {mode} about trace {trace.key}."
            )
        example = _example(f"{key}:{mode}", mode, question, question.reply, score, weight)
        if answers is not None and soft is not None:
            example = replace(example, distribution=soft, answers=answers[mode])
        examples.append(example)
    return examples


def _with_each_score(reply: str) -> list[str]:
    """Return a reply that ends in a score with each of the scores 0 to 9 in its place."""
    written = _LAST_DIGIT.search(reply)
    if written is None:
        return [reply] * 10
    start, end = written.span(1)
    return [f"{reply[:start]}{score}{reply[end:]}" for score in range(10)]


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
    key: str, mode: Mode, question: RenderedMessages, reply: str, score: int | None, weight: float
) -> Example:
    messages = [{"role": message.role, "content": message.content} for message in question.messages]
    return Example(key, mode, messages, reply, score, weight, question.answer_prefix)
