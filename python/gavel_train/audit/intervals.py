"""Intervals from a bootstrap that resamples prompts, not rows: completions of one prompt are alike.

BCa (Efron 1987, as in scipy.stats.bootstrap). Where BCa is undefined (a resample has no row of a class, or
all are equal) the percentile interval replaces it, and a share that is the same in every resample, 0 or 1,
gets the Clopper-Pearson interval with prompts as trials: no width at all would claim more than a few rows
can show.
"""

import warnings

import numpy as np
from scipy import stats

from gavel_train.audit.metrics import Floats, Ints, Statistic
from gavel_train.contracts import Measure

METHOD = (
    "BCa bootstrap over prompts; percentile where BCa is undefined; Clopper-Pearson with prompts as trials "
    "for a share of 0 or 1; none below 20 prompts"
)

# Below this a bootstrap over clusters is known to be too narrow: better no interval than a false one.
FEWEST_PROMPTS = 20

# A percentile interval that ignores more undefined resamples than this would be about other data.
_MOST_UNDEFINED = 0.05

# Resamples handled at once: bounds memory to some tens of MB at 10,000 prompts.
_BATCH = 200


def measure(statistic: Statistic, *, samples: int, confidence: float, seed: int) -> Measure:
    """Point, interval and n of a statistic; the bounds are None where the rows cannot give an interval."""
    if statistic.n == 0 or np.isnan(statistic.point):
        return Measure(point=None, low=None, high=None, n=statistic.n)
    low, high = interval(statistic, samples=samples, confidence=confidence, seed=seed)
    return Measure(point=statistic.point, low=low, high=high, n=statistic.n)


def interval(
    statistic: Statistic, *, samples: int, confidence: float, seed: int
) -> tuple[float | None, float | None]:
    """Two-sided interval; (None, None) below FEWEST_PROMPTS or where too many resamples are undefined."""
    prompts = len(statistic.sums_PK)
    if prompts < FEWEST_PROMPTS:
        return None, None
    if statistic.is_share and statistic.point in (0.0, 1.0):
        return _clopper_pearson(prompts, statistic.point, confidence)
    with warnings.catch_warnings():
        # scipy warns where BCa is undefined; that case is handled below.
        warnings.simplefilter("ignore")
        result = stats.bootstrap(
            (np.arange(prompts),),
            lambda drawn, axis: statistic.of(_counts(drawn, prompts)),
            vectorized=True,
            n_resamples=samples,
            confidence_level=confidence,
            batch=_BATCH,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    return _percentile(result.bootstrap_distribution, confidence)


def _counts(drawn: Ints, prompts: int) -> Floats:
    """How often each prompt is drawn: [..., draws] -> [..., P]."""
    flat = drawn.reshape(-1, drawn.shape[-1])
    offset = np.arange(len(flat))[:, None] * prompts
    counts = np.bincount((flat + offset).ravel(), minlength=len(flat) * prompts)
    return counts.reshape(*drawn.shape[:-1], prompts).astype(np.float64)


def _percentile(distribution: Floats, confidence: float) -> tuple[float | None, float | None]:
    defined = distribution[np.isfinite(distribution)]
    if len(defined) < (1 - _MOST_UNDEFINED) * len(distribution):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _clopper_pearson(prompts: int, point: float, confidence: float) -> tuple[float, float]:
    exact = stats.binomtest(round(point * prompts), prompts).proportion_ci(confidence, method="exact")
    return float(exact.low), float(exact.high)
