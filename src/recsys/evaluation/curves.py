"""Metrics of scored yes-or-no outcomes, written once for weighted members: all weights 1 gives the plain metric."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.judged import Codes, Floats, Judged

Statistic = Callable[[Floats], Floats]
"""(r, members) non-negative weights -> (r,) values; NaN where the weighted rows do not define the metric."""

BINS = 10
CELLS = 2_000_000  # numbers held at once in each array of a resampled curve


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

    def value(walk: _Walk) -> Floats:
        ended, begun = walk.end - walk.hits, walk.begin - (walk.hits - walk.won)
        below = walk.rows - walk.positives - ended
        return ratio(
            (walk.won * (below + (ended - begun) / 2)).sum(axis=0), walk.positives * (walk.rows - walk.positives)
        )

    return _walked(judged, column, within, value)


def pr_auc(judged: Judged, column: str = "score", within: int | None = None) -> Statistic:
    """Average precision: precision at each distinct score, weighted by the recall gained there, nothing interpolated.

    Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 2008, section 8.4.
    """

    def value(walk: _Walk) -> Floats:
        precision = np.nan_to_num(ratio(walk.hits, walk.end))
        return ratio((walk.won * precision).sum(axis=0), walk.positives)

    return _walked(judged, column, within, value)


def lift(judged: Judged, share: float, column: str = "score", within: int | None = None) -> Statistic:
    """Share of positives among the best-scored rows over their share among all; a tie at the edge counts in part.

    share: of the rows that count as best. Piatetsky-Shapiro, Masand, Estimating campaign benefits, KDD 1999.
    """

    def value(walk: _Walk) -> Floats:
        part = np.clip(np.nan_to_num(ratio(share * walk.rows - walk.begin, walk.end - walk.begin)), 0, 1)
        return ratio((walk.won * part).sum(axis=0), walk.positives * share)

    return _walked(judged, column, within, value)


@dataclass(frozen=True)
class _Walk:
    """The way down the scores, stopping at the g distinct scores that positive rows have, for r weightings.

    begin, end: (g, r) weight of the rows above each of these scores, and at or above it.
    won, hits: (g, r) weight of the positive rows at each of these scores, and at or above it.
    rows, positives: (r,) weight of all rows and of the positive ones.
    """

    begin: Floats
    end: Floats
    won: Floats
    hits: Floats
    rows: Floats
    positives: Floats


def _walked(judged: Judged, column: str, within: int | None, value: Callable[[_Walk], Floats]) -> Statistic:
    """Make a statistic of the way down the scores.

    Rows between two stops are summed by one product of a sparse matrix, stops by members, with the weights: stop k has
    the rows of its own score in part 2k + 1 and those above it, down from the stop before, in part 2k.
    """
    y, member, size = judged.ground.outcome(within), judged.ground.member, judged.ground.members
    if not len(y) or np.isnan(y).any():
        return lambda weights: np.full(len(weights), np.nan)
    level = np.unique(-judged.score(column), return_inverse=True)[1]  # 0 = best
    won = np.bincount(level, weights=y) > 0
    stops: Codes = np.cumsum(won) - won  # stops above each level
    count = int(won.sum())
    parts = _sums(2 * stops[level] + won[level], member, np.ones(len(y)), (2 * count + 1, size))
    wins = _sums(stops[level[y > 0]], member[y > 0], y[y > 0], (count, size))

    def statistic(weights: Floats) -> Floats:
        out = np.empty(len(weights))
        for chunk in chunks(len(weights), 2 * count + 1):
            columns = np.ascontiguousarray(weights[chunk].T)
            seen, gained = np.cumsum(parts @ columns, axis=0), wins @ columns
            hits = np.cumsum(gained, axis=0)
            walk = _Walk(seen[0:-1:2], seen[1::2], gained, hits, seen[-1], gained.sum(axis=0))
            out[chunk] = value(walk)
        return out

    return statistic


def _sums(row: Codes, member: Codes, value: Floats, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((value, (row, member)), shape=shape)


def chunks(rows: int, width: int) -> Iterator[slice]:
    """Part so many rows of so many numbers into slices of about `CELLS`."""
    size = max(1, CELLS // max(width, 1))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
