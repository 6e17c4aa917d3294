"""Samples of an audit from plain arrays, and measures by name."""

import numpy as np

from gavel_train.audit.measure import Measure, all_measures
from gavel_train.audit.sample import POINTWISE, UNKNOWN, Answers, Rows, Sample


def named(part: str, name: str) -> Measure:
    return next(one for one in all_measures() if (one.part, one.name) == (part, name))


def answers(role="grader", *, score=None, value=None, label=None, **given) -> Answers:
    """Verdicts with these scores (None or NaN: none), values (else the scores) and labels (else 5 passes)."""
    unknown = np.full(len(label if score is None else score), np.nan)
    score = unknown if score is None else np.asarray(score, dtype=float)
    value = score if value is None else np.asarray(value, dtype=float)
    if label is None:
        label = np.where(np.isnan(score), UNKNOWN, score >= 5)
    label = np.asarray(label, dtype=np.int64)
    given = {
        "mode": "single_token",
        "kind_N": np.where(label == UNKNOWN, "unparseable", "scored"),
        "p_pass_N": np.where(label == UNKNOWN, np.nan, label == 1),
        "is_expectation_N": np.isfinite(value) & (value != score),
    } | given
    return Answers(role=role, score_N=score, value_N=value, label_N=label, **given)


def sample(prompt, grader: Answers, judge: Answers | None = None, truth=None, labels=POINTWISE) -> Sample:
    """A sample whose truth is unknown unless it is given."""
    truth = np.full(len(prompt), UNKNOWN) if truth is None else np.asarray(truth, dtype=np.int64)
    return Sample(Rows(np.asarray(prompt, dtype=np.int64), truth, labels), grader, judge)


def random_sample(seed: int, n: int = 300, prompts: int = 40, unscored: float = 0.1) -> Sample:
    """Rows with ties, some without a verdict; judge and grader are related to the truth and each other."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    quality = np.where(truth == 1, 6, 3) + rng.normal(0, 2, n)

    def graded(role, noise):
        value = np.clip(np.round((quality + rng.normal(0, noise, n)) * 4) / 4, 0, 9)
        value[rng.random(n) < unscored] = np.nan
        score = np.clip(np.rint(value), 0, 9)
        return answers(role, score=score, value=value)

    return sample(rng.integers(0, prompts, n), graded("grader", 2), graded("judge", 1), truth)


def both_scored(rows: Sample):
    """Masks and arrays of the rows that judge and grader scored: prompts, judge, grader."""
    assert rows.judge is not None
    chosen = np.isfinite(rows.judge.score_N) & np.isfinite(rows.answers.score_N)
    return chosen, rows.rows.prompt_N[chosen]
