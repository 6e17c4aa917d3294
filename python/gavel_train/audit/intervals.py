"""Intervals of statistics whose independent units are prompts.

Shape suffixes: P prompts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from gavel_train.audit.sample import Floats

# Below this the spread between prompts is known too badly for any interval.
FEWEST_PROMPTS = 10

# Below this an interval by prompts covers less often than it says, and decides nothing.
LEAST_PROMPTS = 30

# Differences between leave-one-outs below this are rounding errors.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """Bounds (None: these rows give none) and how they were made, or why there are none."""

    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class Scale:
    """The values that a statistic can have, and the scale on which its interval is made.

    `transform` names the map to an unbounded scale, z = atanh of the position between `low` and `high`:
    Fisher's z from -1 to 1, half the logit from 0 to 1. None: the plain scale, corrected for skew. `reach` is
    how far the statistic moves where every prompt that could change it differs from what was seen, and
    `reach_of_all` how far by each share of all prompts. `unseen_from` says from where prompts that were not
    seen are allowed for, besides those that were: from the ends of the scale, or from the point.
    """

    low: float
    high: float
    transform: str | None = None
    reach: float = 1.0
    reach_of_all: float = 0.0
    unseen_from: Literal["ends", "point"] | None = "ends"


KAPPA = Scale(-1.0, 1.0, "Fisher's z")
# A prompt whose order is reversed moves a correlation from 1 to -1.
CORRELATION = Scale(-1.0, 1.0, "Fisher's z", reach=2.0)
SHARE = Scale(0.0, 1.0, "logit")
DIFFERENCE = Scale(-1.0, 1.0, unseen_from=None)


def none(why: str) -> Interval:
    """No interval, and why."""
    return Interval(None, None, f"no interval: {why}")


def not_possible(point: float, n: int, prompts: int, trials: int | None = None) -> Interval | None:
    """Why a statistic of any kind has no interval; None: nothing speaks against one.

    `trials` are the prompts that could change the value, say those with rows of the rarest label.
    """
    if n == 0:
        return none("no rows")
    if math.isnan(point):
        return none("not defined by these rows, say because they hold one class alone")
    if prompts < FEWEST_PROMPTS:
        return none(f"fewer than {FEWEST_PROMPTS} prompts")
    if trials is not None and trials < FEWEST_PROMPTS:
        return none(f"fewer than {FEWEST_PROMPTS} prompts could change it, say those of the rarest label")
    return None


@dataclass(frozen=True)
class Silent:
    """A label whose rows all show the same, in `trials` prompts; others could move the value by `reach`."""

    reach: float
    trials: int


def jackknife(
    point: float,
    left_out_P: Floats,
    *,
    confidence: float,
    scale: Scale,
    trials: int,
    silent: Sequence[Silent] = (),
) -> Interval:
    """Delete-one-prompt jackknife with Student's t, from the values without each prompt.

    The degrees of freedom are P - 1, or fewer where few prompts carry the variance: 2P / (kurtosis - 1), as
    for a variance that is estimated from such values (Valliant & Rust 2010). The standard error is taken to a
    transformed scale by its derivative at the point. That is defined where one prompt alone disagrees, and
    the value without it is at the end of the scale. On the plain scale the interval is the hull of t and of
    Hall's (1992) t with a correction for skew: where few prompts differ, all in one direction, t alone misses
    on their side in 5 to 8% of samples. Where no prompt changes the value, `unvaried` answers, with `trials`.
    Where only some labels show no variance, what their prompts cannot exclude is added. `at_least_unseen`
    has the last word: a first miss must not make the interval narrower than none.
    """
    if not np.isfinite(left_out_P).all():
        return none("not defined without one of the prompts, which alone holds a class")
    at_end = scale.transform is not None and abs(_position(point, scale)) >= 1 - _ROUNDING
    effect_P = left_out_P.mean() - left_out_P
    if at_end or np.abs(effect_P).max() <= _ROUNDING * scale.reach:
        return unvaried(point, confidence=confidence, scale=scale, trials=trials, prompts=len(left_out_P))
    prompts = len(left_out_P)
    variance = float(np.square(effect_P).mean())
    error = math.sqrt((prompts - 1) * variance)
    kurtosis = float((effect_P**4).mean()) / variance**2
    freedom = prompts - 1 if kurtosis <= 1 else min(prompts - 1, 2 * prompts / (kurtosis - 1))
    t = float(special.stdtrit(freedom, (1 + confidence) / 2))
    if scale.transform is None:
        skew = float((effect_P**3).mean()) / variance**1.5 / math.sqrt(prompts)
        low, high = point - error * max(t, _unskewed(t, skew)), point - error * min(-t, _unskewed(-t, skew))
        how = "corrected for skew"
    else:
        low, high = _transformed(point, t * error, scale)
        how = scale.transform
    found = Interval(max(scale.low, low), min(scale.high, high), f"jackknife over prompts, t, {how}")
    found = widened(found, point, silent, confidence=confidence, scale=scale)
    away, of = _allowance(scale, trials, prompts, confidence)
    return at_least_unseen(found, point, away, of, scale)


def _unskewed(t: float, skew: float) -> float:
    """Quantile of a studentised mean, from that of t and skewness / sqrt(P): Hall's (1992) transformation."""
    if abs(skew) < _ROUNDING:
        return t
    return 3 / skew * (math.cbrt(1 + skew * (t - skew / 6)) - 1)


def _transformed(point: float, away: float, scale: Scale) -> tuple[float, float]:
    middle, half = (scale.low + scale.high) / 2, (scale.high - scale.low) / 2
    position = _position(point, scale)
    z, away_z = math.atanh(position), away / half / (1 - position**2)
    return middle + half * math.tanh(z - away_z), middle + half * math.tanh(z + away_z)


def _position(point: float, scale: Scale) -> float:
    """From -1 to 1 between the ends of the scale."""
    return (2 * point - scale.low - scale.high) / (scale.high - scale.low)


def unvaried(point: float, *, confidence: float, scale: Scale, trials: int, prompts: int) -> Interval:
    """Interval where no prompt changes the value: a perfect grader, or a copy of the judge.

    No width at all would claim more than the rows show. The share of prompts that would show something else
    has 1 - (alpha/2)^(1/trials) as its upper Clopper-Pearson bound after none of `trials` did (about
    3.7/trials at 95%), and each moves the statistic by its reach.
    """
    away, of = _allowance(scale, trials, prompts, confidence)
    return Interval(
        max(scale.low, point - away),
        min(scale.high, point + away),
        f"no prompt changes the value; Clopper-Pearson for 0 of {of} prompts",
    )


def at_least_unseen(interval: Interval, point: float, away: float, of: int, scale: Scale) -> Interval:
    """The hull of an interval and of what `of` prompts could not exclude, which is `away` at most.

    The spread that was seen says nothing of prompts that are wholly different and too rare to be among these.
    Without the hull, rare misses in other prompts hide them: where 5.6% of 40 prompts have no score at all,
    and 0.3% of the other rows, 7% of samples showed more than 95% scored.
    """
    if interval.low is None or interval.high is None or scale.unseen_from is None:
        return interval
    from_ends = scale.unseen_from == "ends"
    low, high = (scale.high - away, scale.low + away) if from_ends else (point - away, point + away)
    hull = min(interval.low, max(scale.low, low)), max(interval.high, min(scale.high, high))
    if hull == (interval.low, interval.high):
        return interval
    return Interval(*hull, f"{interval.method}; not within Clopper-Pearson for 0 of {of} prompts")


def _allowance(scale: Scale, trials: int, prompts: int, confidence: float) -> tuple[float, int]:
    """How far prompts that were not seen could move a statistic, and the prompts that say so."""
    by_trials = scale.reach * _unseen(trials, confidence), trials
    return max(by_trials, (scale.reach_of_all * _unseen(prompts, confidence), prompts))


def widened(
    interval: Interval, point: float, silent: Sequence[Silent], *, confidence: float, scale: Scale
) -> Interval:
    """Interval of a mean over labels, some of which show no variance: what `unvaried` allows is added to it.

    Independent errors add up in squares. Without it, a contestant that gains on one label and seldom loses on
    a rare one is called better than the judge in 9% of samples, and is worse.
    """
    if interval.low is None or interval.high is None or not silent:
        return interval
    away = math.hypot(*(one.reach * _unseen(one.trials, confidence) for one in silent))
    return Interval(
        max(scale.low, point - math.hypot(point - interval.low, away)),
        min(scale.high, point + math.hypot(interval.high - point, away)),
        f"{interval.method}; with Clopper-Pearson for labels whose prompts all show the same",
    )


def _unseen(trials: int, confidence: float) -> float:
    """Largest share of prompts that may show something else where none of `trials` did (Clopper-Pearson)."""
    return 1 - ((1 - confidence) / 2) ** (1 / trials)


def korn_graubard(hits_P: Floats, among_P: Floats, *, confidence: float) -> Interval:
    """Interval of a share of rows, hits by prompt over rows by prompt (Korn & Graubard 1998).

    Clopper-Pearson limits with the effective sample size n / deff in place of n, times the squared ratio of t
    with n - 1 to t with the variance's degrees of freedom, at most n. The variance is that of a ratio,
    linearised. A share of exactly 0 or 1 has no variance; prompts are then the trials, and any other share
    has an interval that holds the inner ends of those of 0 and 1 (`at_least_unseen`).
    """
    prompts, n = len(among_P), float(among_P.sum())
    share = float(hits_P.sum()) / n
    tail = (1 - confidence) / 2
    if share in (0.0, 1.0):
        low, high = clopper_pearson(share * prompts, prompts, confidence)
        return Interval(low, high, "Clopper-Pearson, prompts as trials")
    excess_P = hits_P - share * among_P
    variance = prompts / (prompts - 1) * float(np.square(excess_P).sum()) / n**2
    if variance == 0:
        effective = n
    else:
        independent = share * (1 - share)
        freedom = _freedom_of_share(excess_P, n * independent)
        narrower = float(special.stdtrit(n - 1, 1 - tail) / special.stdtrit(freedom, 1 - tail)) ** 2
        effective = min(n, independent / variance * narrower)
    low, high = clopper_pearson(share * effective, effective, confidence)
    found = Interval(low, high, "Korn-Graubard")
    return at_least_unseen(found, share, _unseen(prompts, confidence), prompts, SHARE)


def _freedom_of_share(excess_P: Floats, independent: float) -> float:
    """P - 1, or fewer where few prompts carry the variance and rows of a prompt are alike.

    The share alone says how much independent rows vary: `independent`, the sum of squares of their excess.
    What is beyond that is known as badly as in `jackknife`. With P - 1 alone, 12 rows from each of 40
    prompts, few of which have misses, get intervals that cover 92%.
    """
    prompts, squares = len(excess_P), float(np.square(excess_P).sum())
    beyond = max(0.0, 1 - independent / squares)
    kurtosis = prompts * float((excess_P**4).sum()) / squares**2
    fewest = 1 / (prompts - 1)
    return 1 / (fewest + beyond**2 * max(0.0, (kurtosis - 1) / (2 * prompts) - fewest))


def clopper_pearson(hits: float, trials: float, confidence: float) -> tuple[float, float]:
    """Exact limits of a binomial share (Clopper & Pearson 1934); hits and trials need not be whole."""
    tail = (1 - confidence) / 2
    misses = trials - hits
    low = 0.0 if hits <= 0 else float(special.betaincinv(hits, misses + 1, tail))
    high = 1.0 if misses <= 0 else float(special.betaincinv(hits + 1, misses, 1 - tail))
    return low, high
