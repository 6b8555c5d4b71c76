"""Metrics of scored yes-or-no outcomes, written once for weighted members: all weights 1 gives the plain metric."""

from collections.abc import Callable, Iterator

import numpy as np

from recsys.evaluation.judged import Floats, Judged

Statistic = Callable[[Floats], Floats]
"""(r, members) non-negative weights -> (r,) values; NaN where the weighted rows do not define the metric."""

BINS = 10
CELLS = 2_000_000  # weights times rows held at once


def mean_of(judged: Judged, values: Floats) -> Statistic:
    """Weighted mean over rows of (n,) values; rows whose value is NaN are left out."""
    known = ~np.isnan(values)
    member = judged.ground.member[known]
    size = judged.ground.members
    total = np.bincount(member, weights=values[known], minlength=size).astype(np.float64)
    count = np.bincount(member, minlength=size).astype(np.float64)
    return lambda weights: ratio(weights @ total, weights @ count)


def ratio(over: Floats, under: Floats) -> Floats:
    """Elementwise over / under, NaN where under is 0."""
    out = np.full(over.shape, np.nan)
    np.divide(over, under, out=out, where=under > 0)
    return out


def brier(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Mean squared distance of probability and outcome. Brier, Monthly Weather Review 78, 1950."""
    return mean_of(judged, (judged.score(column) - judged.ground.outcome(within)) ** 2)


def log_loss(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Mean negative log-likelihood of the outcomes, probabilities held within [1e-6, 1 - 1e-6].

    Good, Rational Decisions, JRSS B 14, 1952.
    """
    p = np.clip(judged.score(column), 1e-6, 1 - 1e-6)
    y = judged.ground.outcome(within)
    return mean_of(judged, -(y * np.log(p) + (1 - y) * np.log1p(-p)))


def equal_mass_bins(score: Floats, bins: int = BINS) -> "np.ndarray":
    """(n,) bin numbers from 0: cut at the quantiles of the scores, equal scores never parted, so bins may be fewer."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1])) if len(score) else np.empty(0)
    return np.searchsorted(edges, score, side="left")


def ece(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Mean over rows of their bin's |mean score - share of outcomes|: the expected calibration error.

    Ten bins of equal mass, cut on the unweighted rows. Naeini, Cooper, Hauskrecht, AAAI 2015 (there with equal widths).
    """
    score = judged.score(column)
    gap = score - judged.ground.outcome(within)
    member, size = judged.ground.member, judged.ground.members
    bins = equal_mass_bins(score)
    count = int(bins.max()) + 1 if len(bins) else 0
    sums = np.zeros((count, size))
    for number in range(count):
        inside = bins == number
        sums[number] = np.bincount(member[inside], weights=gap[inside], minlength=size)
    rows = np.bincount(member, minlength=size).astype(np.float64)
    return lambda weights: ratio(np.abs(weights @ sums.T).sum(axis=1), weights @ rows)


def auc(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Chance that a positive row scores above a negative one, ties counting half.

    Hanley, McNeil, Radiology 143, 1982.
    """

    def value(positive: Floats, negative: Floats) -> Floats:
        new_positive, new_negative = _new(positive), _new(negative)
        above = positive - new_positive / 2
        return ratio((new_negative * above).sum(axis=1), positive[:, -1] * negative[:, -1])

    return _curve(judged, column, within, value)


def pr_auc(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Average precision: precision at each distinct score, weighted by the recall gained there, nothing interpolated.

    Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 2008, section 8.4.
    """

    def value(positive: Floats, negative: Floats) -> Floats:
        precision = np.nan_to_num(ratio(positive, positive + negative))
        return ratio((_new(positive) * precision).sum(axis=1), positive[:, -1])

    return _curve(judged, column, within, value)


def lift(judged: Judged, share: float, column: str = "score", within: int | None = None) -> Statistic:
    """Share of positives among the best-scored rows over their share among all; a tie at the edge counts in part.

    share: of the rows that count as best. Piatetsky-Shapiro, Masand, Estimating campaign benefits, KDD 1999.
    """

    def value(positive: Floats, negative: Floats) -> Floats:
        taken = np.empty(len(positive))
        for row, (wins, losses) in enumerate(zip(positive, negative, strict=True)):
            reached = np.concatenate([[0.0], wins + losses])
            taken[row] = np.interp(share * reached[-1], reached, np.concatenate([[0.0], wins]))
        return ratio(taken, positive[:, -1] * share)

    return _curve(judged, column, within, value)


def _new(cumulative: Floats) -> Floats:
    return np.diff(cumulative, axis=1, prepend=0.0)


def _curve(judged: Judged, column: str, within: int | None, value: Callable[[Floats, Floats], Floats]) -> Statistic:
    """Walk down the scores, best first.

    value: takes (b, g) positives and (b, g) negatives at or above each of the g distinct scores; gives (b,).
    """
    y = judged.ground.outcome(within)
    score = judged.score(column)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, [True] * bool(len(order))))
    member, positive = judged.ground.member[order], y[order]

    def statistic(weights: Floats) -> Floats:
        if not len(order) or np.isnan(y).any():
            return np.full(len(weights), np.nan)
        out = np.empty(len(weights))
        for part in _chunks(len(weights), len(order)):
            every = weights[part][:, member]
            seen = np.cumsum(every, axis=1)[:, ends]
            np.multiply(every, positive, out=every)
            hits = np.cumsum(every, axis=1)[:, ends]
            out[part] = value(hits, seen - hits)
        return out

    return statistic


def _chunks(rows: int, width: int) -> Iterator[slice]:
    size = max(1, CELLS // max(width, 1))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
