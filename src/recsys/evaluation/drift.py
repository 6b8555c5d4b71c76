"""Whether today's features and scores are still those that a model knew, and whether it still does what it promised."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.judged import Floats

BINS = 10
TOP = 20
PRIOR = 0.5
"""Rows added to each bin, so that an empty one gives a finite index (Jeffreys' prior)."""


@dataclass(frozen=True)
class Bins:
    """How values fall into bins, as a reference laid them.

    edges: for numbers, increasing: a value falls into the first bin whose edge is not below it, or into the last one.
    values: for text, those with a bin of their own; all others share one.
    """

    edges: Floats
    values: tuple[str, ...]

    @property
    def count(self) -> int:
        """Bins, the one of unknown values among them."""
        return len(self.edges) + len(self.values) + 2


@dataclass(frozen=True)
class Shift:
    """How far a column has moved.

    psi: population stability index, >= 0. noise: what it may reach when nothing moved. now_null, then_null: shares of
    unknown values.
    """

    name: str
    psi: float
    noise: float
    then_null: float
    now_null: float

    def beyond(self, threshold: float) -> bool:
        """Whether it moved by more than a threshold and by more than chance."""
        return self.psi > max(threshold, self.noise)


def learn_bins(reference: "pd.Series[float] | pd.Series[str]", *, bins: int = BINS, top: int = TOP) -> Bins:
    """Lay bins over a reference: quantiles of numbers, the most frequent values of text; NaN and None = unknown.

    A number that fills a whole quantile step by itself, such as 0 in counts, has a bin of its own.
    """
    known = reference.dropna()
    if not _is_number(reference):
        often = known.astype(str).value_counts()
        order = sorted(often.items(), key=lambda item: (-item[1], str(item[0])))
        return Bins(np.empty(0), tuple(str(value) for value, _ in order[:top]))
    values = known.to_numpy(np.float64)
    if not len(values):
        return Bins(np.empty(0), ())
    steps = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    edges, times = np.unique(steps, return_counts=True)
    below = np.nextafter(edges[times > 1], -np.inf)
    return Bins(np.union1d(edges, below), ())


def count(values: "pd.Series[float] | pd.Series[str]", bins: Bins) -> Floats:
    """(bins.count,) how many values fall into each bin; the last one counts unknown values."""
    unknown = values.isna().to_numpy()
    if _is_number(values):
        place = np.searchsorted(bins.edges, values.to_numpy(np.float64)[~unknown], side="left")
    else:
        found = pd.Index(bins.values).get_indexer(pd.Index(values[~unknown].astype(str)))
        place = np.where(found < 0, len(bins.values), found)
    counted = np.bincount(place, minlength=bins.count)
    counted[-1] = unknown.sum()
    return counted.astype(np.float64)


def stability_index(reference: Floats, now: Floats) -> float:
    """Compute the population stability index of two (b,) counts over the same bins.

    It is the sum of (q - p) ln(q / p) over the shares p, q of the bins; both counts get half a row a bin. It is the
    divergence of Jeffreys (1946), used in credit scoring since Lewis, An Introduction to Credit Scoring, 1992; below
    0.1 little has moved, above 0.25 much. Bins empty in both say nothing.
    """
    used = (reference + now) > 0
    p, q = ((part[used] + PRIOR) / (part[used] + PRIOR).sum() for part in (reference, now))
    return float(((q - p) * np.log(q / p)).sum()) if used.any() else 0.0


def noise_level(bins: int, reference: int, now: int, *, chance: float) -> float:
    """Compute what the index of two samples of one population exceeds with a small chance.

    bins: bins in use. reference, now: independent units (members) in each sample.
    (1/n + 1/m) times a chi-squared of bins - 1 degrees: Yurdakul, Statistical Properties of Population Stability
    Index, dissertation, Western Michigan University, 2018. Infinite where a sample is empty.
    """
    if not reference or not now:
        return math.inf
    return float((1 / reference + 1 / now) * chi2.ppf(1 - chance, max(bins - 1, 1)))


def shifts(then: pd.DataFrame, now: pd.DataFrame, units: tuple[int, int], *, chance: float = 0.01) -> tuple[Shift, ...]:
    """Measure how far each column that both frames have moved, largest index first.

    units: members in each frame; rows of one member are not independent, so noise is judged by members.
    chance: that any column of all is called moved though none is.
    """
    names = [name for name in then if name in now]
    found = []
    for name in names:
        bins = learn_bins(then[name])
        counts = count(then[name], bins), count(now[name], bins)
        used = int(((counts[0] + counts[1]) > 0).sum())
        noise = noise_level(used, *units, chance=chance / len(names))
        nulls = [float(part[-1] / part.sum()) if part.sum() else 0.0 for part in counts]
        found.append(Shift(str(name), stability_index(*counts), noise, *nulls))
    return tuple(sorted(found, key=lambda shift: (-shift.psi, shift.name)))


def fallen(realised: Interval, promised: Interval, better: int, *, loss: float) -> bool:
    """Whether what a model really did is worse than what its back-test promised, beyond chance.

    better: 1 when larger values are better, -1 when smaller ones are. loss: share of the promise that may be lost.
    The two intervals are of different days, taken as independent: their difference has the interval of Zou, Donner,
    "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008. Undefined is not worse.
    """
    gap = (realised.value - promised.value) * better + loss * abs(promised.value)
    ours = (realised.high if better > 0 else realised.low) - realised.value
    theirs = (promised.low if better > 0 else promised.high) - promised.value
    return bool(gap + math.hypot(ours, theirs) < 0)


def _is_number(values: "pd.Series[float] | pd.Series[str]") -> bool:
    return pd.api.types.is_numeric_dtype(values)
