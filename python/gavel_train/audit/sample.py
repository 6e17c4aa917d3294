"""What a measure sees: the rows of an audit and what was said of them, as arrays.

Shape suffixes: N rows, P prompts, K sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gavel_train.contracts import GradingPass

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

SCORES = 10

# The code of a label that is not known: no truth, or a verdict that says none.
UNKNOWN = -1

# The labels of one completion; a verdict says "right" where p_pass is above one half.
POINTWISE = ("wrong", "right")
PAIRWISE = ("A", "B", "tie")
RIGHT = 1


@dataclass(frozen=True)
class Rows:
    """The audited rows: prompts as numbers from 0, true labels as indices into `labels`."""

    prompt_N: Ints
    truth_N: Ints
    labels: tuple[str, ...] = POINTWISE

    def __len__(self) -> int:
        return len(self.prompt_N)


@dataclass(frozen=True)
class Answers:
    """The verdicts of one role in one mode, aligned with the rows; NaN and UNKNOWN where it gave none.

    `kind_N` holds the kind of each verdict, "missing" where a file has no line for a row. A file may give a
    label without a score: such a verdict is "scored", and its score and value are NaN. `is_expectation_N`
    says which values are expectations over the ten digits. `order_N` says of a pair that was asked about in
    both orders whether they agree (consistent), or which position is preferred (first, second); empty where
    it is not known. A baseline is computed and not asked (say, "right"
    for every row), so it has no coverage and no speed.
    """

    role: str
    mode: str
    kind_N: Texts
    score_N: Floats
    value_N: Floats
    p_pass_N: Floats
    label_N: Ints
    is_expectation_N: Bools
    order_N: Texts | None = None
    grading: GradingPass | None = None
    is_baseline: bool = False


@dataclass(frozen=True)
class Sample:
    """What the measures of one role in one mode are computed from; `judge` is None for the judge itself."""

    rows: Rows
    answers: Answers
    judge: Answers | None

    def take(self, chosen_N: Bools) -> Sample:
        """The sample of the chosen rows."""
        rows = replace(self.rows, prompt_N=self.rows.prompt_N[chosen_N], truth_N=self.rows.truth_N[chosen_N])
        judge = None if self.judge is None else _take(self.judge, chosen_N)
        return Sample(rows, _take(self.answers, chosen_N), judge)


def _take(answers: Answers, chosen_N: Bools) -> Answers:
    return replace(
        answers,
        kind_N=answers.kind_N[chosen_N],
        score_N=answers.score_N[chosen_N],
        value_N=answers.value_N[chosen_N],
        p_pass_N=answers.p_pass_N[chosen_N],
        label_N=answers.label_N[chosen_N],
        is_expectation_N=answers.is_expectation_N[chosen_N],
        order_N=None if answers.order_N is None else answers.order_N[chosen_N],
    )


@dataclass(frozen=True)
class PolicySample:
    """Held-out completions of the policy: whether the verifier takes each, from first and last checkpoint."""

    prompt_N: Ints
    right_N: Bools
    is_last_N: Bools
