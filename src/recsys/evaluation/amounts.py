"""Metrics of expected amounts, written once for weighted members: all weights 1 gives the plain metric."""

from collections.abc import Callable

import numpy as np

from recsys.evaluation.curves import BINS, Statistic, chunks, equal_mass_bins, mean_of, ratio
from recsys.evaluation.judged import Codes, Floats, Judged


def gini(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """How much of the inequality of the amounts the ranking by score holds: 1 = all, 0 = no better than chance.

    The Gini index of the amounts in the order of the scores, equal scores sharing alike, over that in their own order.
    Frees, Meyers, Cummings, Summarizing insurance scores using a Gini index, JASA 106, 2011.
    """
    y, score = _amount(judged, amount), judged.score(column)
    ours, best = _Ladder(score), _Ladder(y)

    def value(weight: Floats) -> Floats:
        held = weight * y[:, None]
        return ratio(
            _concentration(ours.middles(weight), weight, held), _concentration(best.middles(weight), weight, held)
        )

    return _by_rows(judged, value)


def spearman(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """Correlation of the ranks of score and amount, equal values having their mean rank.

    Spearman, American Journal of Psychology 15, 1904.
    """
    ours, theirs = _Ladder(judged.score(column)), _Ladder(_amount(judged, amount))

    def value(weight: Floats) -> Floats:
        a, b = ours.middles(weight), theirs.middles(weight)
        total = weight.sum(axis=0)
        a, b = (rank - ratio((weight * rank).sum(axis=0), total) for rank in (a, b))
        heavy = weight * a
        spread = np.sqrt((heavy * a).sum(axis=0) * (weight * b * b).sum(axis=0))
        return ratio((heavy * b).sum(axis=0), spread)

    return _by_rows(judged, value)


def mae(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """Mean distance of score and amount; the median of what may come, not its mean, would make it smallest."""
    return mean_of(judged, np.abs(judged.score(column) - _amount(judged, amount)))


def rmse(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """Root of the mean squared distance of score and amount."""
    squares = mean_of(judged, (judged.score(column) - _amount(judged, amount)) ** 2)
    return lambda weights: np.sqrt(squares(weights))


def bias(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """Sum of the scores over the sum of the amounts, less 1: how far a total is missed."""
    told, came = _member_sums(judged, judged.score(column)), _member_sums(judged, _amount(judged, amount))
    return lambda weights: ratio(weights @ told, weights @ came) - 1


def decile_error(judged: Judged, amount: str, column: str = "score") -> Statistic:
    """Sum over tenths of the rows by score of |sum of scores - sum of amounts|, over the sum of amounts.

    What the expected calibration error is to chances; tenths are cut on the unweighted rows.
    """
    score, y = judged.score(column), _amount(judged, amount)
    bins = equal_mass_bins(score, BINS)
    gaps = [
        _member_sums(judged, np.where(bins == number, score - y, 0.0)) for number in range(int(bins.max(initial=0)) + 1)
    ]
    came = _member_sums(judged, y)
    return lambda weights: ratio(np.abs(weights @ np.stack(gaps, axis=1)).sum(axis=1), weights @ came)


class _Ladder:
    """The order of (n,) values, largest first, with what stands on one rung together."""

    def __init__(self, values: Floats) -> None:
        _, self.rung = np.unique(-values, return_inverse=True)
        self.order: Codes = np.argsort(self.rung, kind="stable")
        self.last: Codes = np.flatnonzero(np.diff(self.rung[self.order], append=len(values)))

    def middles(self, weight: Floats) -> Floats:
        """(n, r) weights of rows -> (n, r) the weight above each row plus half of that on its rung."""
        ends = np.cumsum(weight[self.order], axis=0)[self.last]
        begins = np.concatenate([np.zeros((1, weight.shape[1])), ends[:-1]])
        return np.asarray(((begins + ends) / 2)[self.rung])


def _concentration(middle: Floats, weight: Floats, held: Floats) -> Floats:
    """(r,) twice the area between the concentration curve and the diagonal."""
    total = weight.sum(axis=0) * held.sum(axis=0)
    return 1 - 2 * ratio((held * middle).sum(axis=0), total)


def _by_rows(judged: Judged, value: Callable[[Floats], Floats]) -> Statistic:
    """Turn a function of (n, r) weights of rows into one of (r, members) weights, some of them at a time."""
    member = judged.ground.member

    def statistic(weights: Floats) -> Floats:
        out = np.full(len(weights), np.nan)
        if len(member):
            for chunk in chunks(len(weights), len(member)):
                out[chunk] = value(np.ascontiguousarray(weights[chunk].T)[member])
        return out

    return statistic


def _member_sums(judged: Judged, values: Floats) -> Floats:
    ground = judged.ground
    return np.bincount(ground.member, weights=values, minlength=ground.members).astype(np.float64)


def _amount(judged: Judged, name: str) -> Floats:
    return judged.ground.rows[name].to_numpy(np.float64)
