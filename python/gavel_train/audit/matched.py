"""Rows that two sides both answered, and rows of known truth: what measures of two sides are computed from.

Each function returns None where the comparison does not apply: the judge with itself, scores of pairs.

Shape suffixes: N rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gavel_train.audit.intervals import Scale, Silent
from gavel_train.audit.sample import POINTWISE, UNKNOWN, Answers, Bools, Floats, Ints, Sample

# A single prompt that differs says nothing of how far others do.
_FEW = 1


@dataclass(frozen=True)
class Digits:
    """Scores of judge and contestant on the rows that both scored."""

    prompt_N: Ints
    judge_N: Ints
    own_N: Ints


@dataclass(frozen=True)
class Values:
    """Values of judge and contestant on the rows that both scored."""

    prompt_N: Ints
    judge_N: Floats
    own_N: Floats


@dataclass(frozen=True)
class Labels:
    """Labels of a reference (truth, or the judge) and of the contestant on the rows that have both."""

    prompt_N: Ints
    reference_N: Ints
    own_N: Ints


@dataclass(frozen=True)
class Judged:
    """Whether judge and contestant are right, on the rows whose truth is known: without a label none is.

    Were rows without a label left out, a side could leave the rows that it would get wrong unanswered.
    """

    prompt_N: Ints
    truth_N: Ints
    judge_right_N: Bools
    own_right_N: Bools

    @property
    def gain_N(self) -> Floats:
        """1 where the contestant alone is right, -1 where the judge alone is."""
        return self.own_right_N.astype(np.float64) - self.judge_right_N


def digits(sample: Sample) -> Digits | None:
    """Scores of both; None where the contestant is the judge or gives no scores at all."""
    judge = _compared(sample)
    if judge is None or not (gives_scores(sample, judge) and gives_scores(sample, sample.answers)):
        return None
    both_N = np.isfinite(judge.score_N) & np.isfinite(sample.answers.score_N)
    return Digits(
        sample.rows.prompt_N[both_N],
        judge.score_N[both_N].astype(np.int64),
        sample.answers.score_N[both_N].astype(np.int64),
    )


def values(sample: Sample) -> Values | None:
    """Values of both; None where the contestant is the judge or gives no scores at all."""
    judge = _compared(sample)
    if judge is None or not (gives_scores(sample, judge) and gives_scores(sample, sample.answers)):
        return None
    both_N = np.isfinite(judge.value_N) & np.isfinite(sample.answers.value_N)
    return Values(sample.rows.prompt_N[both_N], judge.value_N[both_N], sample.answers.value_N[both_N])


def labels_of_judge(sample: Sample) -> Labels | None:
    """Labels of judge and contestant; None where the contestant is the judge."""
    judge = _compared(sample)
    return None if judge is None else _labels(sample, judge.label_N)


def labels_of_truth(sample: Sample) -> Labels | None:
    """True labels and those of the contestant; None where no truth is known."""
    truth_N = sample.rows.truth_N
    return _labels(sample, truth_N) if (truth_N != UNKNOWN).any() else None


def judged(sample: Sample) -> Judged | None:
    """Truth, judge and contestant; None where no truth is known or the contestant is the judge."""
    judge, truth_N, own_N = _compared(sample), sample.rows.truth_N, sample.answers.label_N
    known_N = truth_N != UNKNOWN
    if judge is None or not known_N.any():
        return None
    return Judged(
        sample.rows.prompt_N[known_N],
        truth_N[known_N],
        (judge.label_N == truth_N)[known_N],
        (own_N == truth_N)[known_N],
    )


def gives_scores(sample: Sample, answers: Answers) -> bool:
    """Whether measures of scores apply: not to pairs, nor to a file that holds labels alone.

    They apply to a contestant whose verdicts are all without a score: its measures are then undefined.
    """
    if sample.rows.labels != POINTWISE or answers.is_baseline:
        return False
    return bool(np.isfinite(answers.score_N).any() or (answers.label_N == UNKNOWN).all())


def outside_most_common(codes_N: Ints) -> Bools:
    """The rows whose code is not the most common one: without them nothing but chance could agree."""
    if len(codes_N) == 0:
        return np.zeros(0, dtype=bool)
    return codes_N != np.bincount(codes_N).argmax()


def of_rarest(prompt_N: Ints, label_N: Ints) -> Bools:
    """The rows of the label that occurs in the fewest prompts, among labels that occur."""
    seen = np.unique(label_N)
    if len(seen) == 0:
        return np.zeros(0, dtype=bool)
    prompts = [int((np.bincount(prompt_N[label_N == label]) > 0).sum()) for label in seen]
    return label_N == seen[int(np.argmin(prompts))]


def silent(prompt_N: Ints, label_N: Ints, shown_N: Bools | Floats, reach: float) -> tuple[Silent, ...]:
    """The labels whose rows all show the same, in as many prompts; `reach` is what one label can move."""
    found = []
    for label in np.unique(label_N):
        of_label_N = label_N == label
        if np.ptp(shown_N[of_label_N].astype(np.float64)) == 0:
            found.append(Silent(reach, int((np.bincount(prompt_N[of_label_N]) > 0).sum())))
    return tuple(found)


def with_few_differences(scale: Scale, prompt_N: Ints, difference_N: Floats) -> Scale:
    """The scale of a mean difference, which allows for unseen prompts where at most one shows any.

    Where more do, their own spread tells how far the mean may be off, and a plan reckons with it alone.
    """
    differ = int((np.bincount(prompt_N, difference_N != 0) > 0).sum())
    return replace(scale, unseen_from="point") if differ <= _FEW else scale


def _compared(sample: Sample) -> Answers | None:
    is_itself = sample.answers.role == "judge" or sample.answers.is_baseline
    return None if is_itself else sample.judge


def _labels(sample: Sample, reference_N: Ints) -> Labels:
    both_N = (reference_N != UNKNOWN) & (sample.answers.label_N != UNKNOWN)
    return Labels(sample.rows.prompt_N[both_N], reference_N[both_N], sample.answers.label_N[both_N])
