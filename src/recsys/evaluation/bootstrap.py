from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.evaluation.judged import Floats, Judged
from recsys.evaluation.metrics import Metric

RESAMPLES = 300
LEVEL = 0.95

Verdict = Literal["beats", "no difference", "worse"]


@dataclass(frozen=True)
class Interval:
    """A value and the percentile interval [low, high] around it; NaN where it is undefined."""

    value: float
    low: float
    high: float


def member_weights(members: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """(resamples, members) how often each member is drawn when as many members are drawn with replacement.

    A member is drawn with all rows of all cutoffs, so rows of one member stay together.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((resamples, members))
    for row in weights:
        row[:] = np.bincount(rng.integers(members, size=members), minlength=members) if members else 0
    return weights


def interval(value: float, samples: Floats, *, level: float = LEVEL) -> Interval:
    """Percentile interval of (r,) resampled values; undefined ones are left out."""
    known = samples[~np.isnan(samples)]
    if not len(known) or np.isnan(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def paired(
    ours: Sequence[Judged],
    theirs: Sequence[Judged],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Difference of a metric, ours minus theirs, on the same rows, with its interval over members.

    ours, theirs: one `Judged` a cutoff, from the same back-test. Each resample draws the members once for both.
    Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
    """
    weights = member_weights(ours[0].ground.members, resamples=resamples, seed=seed)
    samples = metric.weigh(ours, weights) - metric.weigh(theirs, weights)
    return interval(metric.value(ours) - metric.value(theirs), samples, level=level)


def verdict_of(difference: Interval, better: int) -> Verdict:
    """Read a difference's interval; better is 1 when larger values are better, -1 when smaller ones are."""
    low, high = sorted((difference.low * better, difference.high * better))
    if low > 0:
        return "beats"
    return "worse" if high < 0 else "no difference"
