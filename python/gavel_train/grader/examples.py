"""Chat examples for the grader, made from the traces that the judge left in the ledger.

A trace gives up to two examples: the judge's own messages and reply (reasoned), and the rubric's single-token
question with the judge's digit as the reply. Everything is ordered by trace key, so that the order in which
a gateway happened to write changes nothing.
"""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gavel_train.contracts import Rubric, Trace
from gavel_train.judging.rubric import render
from gavel_train.run.ledger import read_traces
from gavel_train.run.outcome import BadRequest

Mode = Literal["reasoned", "single_token"]

# Below this a grader learns the frequencies of the scores and nothing about answers.
FEWEST_TRACES = 16

# A score that the judge hardly ever gave would otherwise be a handful of answers learnt by heart.
_LARGEST_BALANCE = 8.0


@dataclass(frozen=True)
class Example:
    """One conversation: the messages given, the reply to learn, how much its loss counts (1 on average)."""

    key: str
    mode: Mode
    messages: list[dict[str, str]]
    reply: str
    score: int
    weight: float = 1.0


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


@dataclass(frozen=True)
class Distilled:
    """The traces that examples are made of, in order, and how many were left out as repeats or held out."""

    traces: list[Trace]
    duplicates: int
    excluded: int


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


def judge_traces(run_dir: Path) -> Iterable[Trace]:
    """The judge's scored verdicts on training rollouts; those on audit rows are in the same ledger."""
    traces = read_traces(run_dir, stage="grpo", role="judge", verdict="scored")
    return (trace for trace in traces if trace.occasion.startswith("grpo:"))


def build_examples(
    run_dir: Path,
    rubric: Rubric,
    *,
    modes: Sequence[Mode],
    holdout: float,
    balance: Literal["none", "oversample", "weight"] = "none",
    max_examples: int | None = None,
    seed: int = 0,
) -> Examples:
    """Read the ledger of a run into examples; raises BadRequest where it holds too little."""
    distilled = choose_traces(run_dir, max_examples=max_examples)
    return examples_of(distilled, rubric, modes=modes, holdout=holdout, balance=balance, seed=seed)


def choose_traces(run_dir: Path, *, max_examples: int | None = None) -> Distilled:
    """Read the traces to distil from the ledger of a run; raises BadRequest where it holds too little."""
    found = sorted(judge_traces(run_dir), key=lambda trace: trace.key)
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
    return Distilled(kept, duplicates, excluded=len(found) - len(allowed))


def examples_of(
    distilled: Distilled,
    rubric: Rubric,
    *,
    modes: Sequence[Mode],
    holdout: float,
    balance: Literal["none", "oversample", "weight"] = "none",
    seed: int = 0,
) -> Examples:
    """Make the examples of traces; the same traces give the same examples. Raises BadRequest."""
    kept = distilled.traces
    _check_modes(kept, modes)
    held = _held_out(kept, holdout, seed)
    train = _balanced([t for t in kept if prompt_hash(t.prompt) not in held], balance)
    return Examples(
        train=[e for trace, weight, copy in train for e in _examples(trace, rubric, modes, weight, copy)],
        holdout=[
            e for t in kept if prompt_hash(t.prompt) in held for e in _examples(t, rubric, modes, 1.0, 0)
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


def _distinct(traces: Sequence[Trace]) -> list[Trace]:
    """One trace for each different prompt, completion and reply: votes that differ stay, repeats go."""
    first: dict[tuple[str, str, str], Trace] = {}
    for trace in traces:
        first.setdefault((prompt_hash(trace.prompt), trace.completion, trace.reply), trace)
    return list(first.values())


def _check_modes(traces: Sequence[Trace], modes: Sequence[Mode]) -> None:
    if "reasoned" in modes and not any(trace.mode == "reasoned" for trace in traces):
        raise BadRequest(
            "sft.modes",
            "Expected traces with reasoning, since sft.modes holds reasoned, found only single_token ones: "
            "let the judge reason (judge.mode) or leave reasoned out.",
        )


def _held_out(traces: Sequence[Trace], holdout: float, seed: int) -> set[str]:
    """The share of prompts, at least one, whose salted hash sorts first."""
    prompts = {prompt_hash(trace.prompt) for trace in traces}
    if len(prompts) < 2:
        raise BadRequest(
            None, f"Expected traces on at least 2 different prompts to hold one out, found {len(prompts)}."
        )
    ranked = sorted(prompts, key=lambda digest: hashlib.sha256(f"{seed}:{digest}".encode()).digest())
    return set(ranked[: min(len(prompts) - 1, max(1, round(holdout * len(prompts))))])


def _balanced(traces: Sequence[Trace], balance: str) -> list[tuple[Trace, float, int]]:
    """(trace, weight, copy) with rare scores repeated or weighted up, at most _LARGEST_BALANCE times."""
    counts = Counter(_score(trace) for trace in traces)
    most = max(counts.values())
    factor = {score: min(_LARGEST_BALANCE, most / count) for score, count in counts.items()}
    if balance == "oversample":
        return [(trace, 1.0, copy) for trace in traces for copy in range(round(factor[_score(trace)]))]
    if balance == "weight":
        mean = sum(factor[_score(trace)] for trace in traces) / len(traces)
        return [(trace, factor[_score(trace)] / mean, 0) for trace in traces]
    return [(trace, 1.0, 0) for trace in traces]


def _examples(trace: Trace, rubric: Rubric, modes: Sequence[Mode], weight: float, copy: int) -> list[Example]:
    score = _score(trace)
    key = trace.key if copy == 0 else f"{trace.key}-{copy}"
    examples = []
    if "reasoned" in modes and trace.mode == "reasoned":
        messages = [message.model_dump() for message in trace.messages]
        examples.append(Example(f"{key}:reasoned", "reasoned", messages, trace.reply, score, weight))
    if "single_token" in modes:
        # The truth is shown only where the judge saw it too.
        truth = trace.ground_truth if rubric.reference_guided else None
        messages = render(rubric, "single_token", trace.prompt, trace.completion, truth)
        examples.append(Example(f"{key}:single_token", "single_token", messages, str(score), score, weight))
    return examples
