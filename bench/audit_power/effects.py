"""Effects of prompts: why rows of one prompt are alike.

A probability of a prompt has a beta distribution, cut into GRADES equally likely grades that each have the
mean of their part. So the mean over prompts is the stated one exactly, and every population value is a sum.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from gavel_train.audit.sample import Floats

GRADES = 20


def graded(mean: float, icc: float) -> Floats:
    """A probability in each grade, ascending, [GRADES]; `icc` is the correlation of two rows of a prompt.

    For a beta distribution with parameters a and b, the correlation of two yes/no rows of a prompt is
    1 / (a + b + 1). The grades keep the mean; they lose up to a tenth of the variance (see `correlation`).
    """
    if icc == 0 or mean in (0.0, 1.0):
        return np.full(GRADES, mean)
    if mean > 0.5:
        # Near 0 numbers are finer than near 1, where the highest cuts would all round to 1.
        return 1 - graded(1 - mean, icc)[::-1]
    size = 1 / icc - 1
    a, b = mean * size, (1 - mean) * size
    cuts = stats.beta.ppf(np.linspace(0, 1, GRADES + 1), a, b)
    # E[X; X < x] = mean * P(Y < x) with Y from beta(a + 1, b).
    below = mean * stats.beta.cdf(cuts, a + 1, b)
    return np.diff(below) * GRADES


def correlation(probability_G: Floats) -> float:
    """Intra-cluster correlation of yes/no rows whose probability is that of their prompt's grade."""
    mean = float(probability_G.mean())
    return float(probability_G.var()) / (mean * (1 - mean)) if 0 < mean < 1 else 0.0
