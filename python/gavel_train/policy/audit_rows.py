"""The rows of the audit: sampled completions of held-out prompts, one by one or two by two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gavel_train.contracts import AuditRow, PromptRow
from gavel_train.tasks import Verify
from gavel_train.tasks.row_fields import fields_of

# By label: name and step.
Checkpoints = Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Sampled:
    """One completion of one prompt of a split."""

    split: str
    label: str
    index: int
    sample: int
    completion: str


def rows_to_audit(
    sampled: Sequence[Sampled], prompts: Sequence[PromptRow], checkpoints: Checkpoints, verify: Verify
) -> list[AuditRow]:
    """Return a row for each completion of the split `audit`."""
    return [_row(one, prompts[one.index], checkpoints, verify) for one in sampled if one.split == "audit"]


def _row(one: Sampled, prompt: PromptRow, checkpoints: Checkpoints, verify: Verify) -> AuditRow:
    verdict = verify(one.completion, prompt)
    return AuditRow(
        id=_id(one, checkpoints, str(one.sample)),
        completion=one.completion,
        ground_truth=prompt.ground_truth,
        is_correct=None if verdict is None else verdict == 1.0,
        **_shared(one, prompt, checkpoints),
    )


def pairs_to_audit(
    sampled: Sequence[Sampled], prompts: Sequence[PromptRow], checkpoints: Checkpoints, verify: Verify
) -> list[AuditRow]:
    """Return a row for each two completions of a prompt from one checkpoint that differ.

    In truth that one is better which the verifier gives more; where it gives both the same, they tie. Two
    equal texts are no row, since no judge could prefer one; where all are equal they are all there is.
    """
    pairs = list(_two_by_two(sampled))
    differing = [pair for pair in pairs if pair[0].completion != pair[1].completion]
    return [_pair(one, other, prompts[one.index], checkpoints, verify) for one, other in differing or pairs]


def _two_by_two(sampled: Sequence[Sampled]) -> Iterator[tuple[Sampled, Sampled]]:
    waiting: dict[tuple[str, int], Sampled] = {}
    for one in sampled:
        if one.split != "audit":
            continue
        place = one.label, one.index
        first = waiting.pop(place, None)
        if first is None:
            waiting[place] = one
        else:
            yield first, one


def _pair(
    one: Sampled, other: Sampled, prompt: PromptRow, checkpoints: Checkpoints, verify: Verify
) -> AuditRow:
    return AuditRow(
        id=_id(one, checkpoints, f"{one.sample}-vs-{other.sample}"),
        completion=one.completion,
        completion_b=other.completion,
        ground_truth=prompt.ground_truth,
        preference=_better(verify(one.completion, prompt), verify(other.completion, prompt)),
        **_shared(one, prompt, checkpoints),
    )


def _better(one: float | None, other: float | None) -> Literal["A", "B", "tie"] | None:
    if one is None or other is None:
        return None
    if one == other:
        return "tie"
    return "A" if one > other else "B"


def _id(one: Sampled, checkpoints: Checkpoints, sample: str) -> str:
    """Name a row. No epoch is in it: its key must not depend on how often the run was killed."""
    _, step = checkpoints[one.label]
    return f"step-{step:06d}-{one.index:05d}-{sample}"


def _shared(one: Sampled, prompt: PromptRow, checkpoints: Checkpoints) -> dict[str, Any]:
    name, _ = checkpoints[one.label]
    return {
        "prompt_id": prompt.id,
        "prompt": prompt.prompt,
        "source": name,
        "fields": fields_of(prompt.meta),
    }
