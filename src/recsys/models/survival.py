from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize_scalar

from recsys.models.encoding import Floats

FRAILTIES = (0.2, 500.0)
USUAL_FRAILTY = 5.0
EDGE = 1e-9


@dataclass(frozen=True)
class Curves:
    """For each of n rows, the chance that the event has come within t days, for every t >= 0.

    knots: (h,) whole days, increasing and above 0.
    reached: (n, h) chance that the event comes in the first knots[j] whole days: non-decreasing along a row, below 1.
    frailty: how alike rows of equal chances are; the smaller, the faster the hazard of those still waiting falls.
    cap: the last whole day that is told.

    Rows of equal chances differ in what no feature tells: their rates are taken to be gamma distributed with shape
    `frailty`. Then the odds (1 - F(t)) ** (-1 / frailty) - 1 grow in proportion to time as long as each keeps its rate
    (Lomax, JASA 49, 1954; Vaupel, Manton, Stallard, Demography 16, 1979). So between knots, and from day 0, they are
    interpolated linearly, and beyond the last knot they go on growing at their mean pace from day 0 to it.
    """

    knots: Floats
    reached: Floats
    frailty: float
    cap: int

    def within(self, days: float | Floats) -> Floats:
        """(n,) chance that the event comes in the first so many days, one number or (n,)."""
        times, odds = self._line
        asked = np.broadcast_to(np.asarray(days, dtype=np.float64), (len(odds),))
        after = np.clip(np.searchsorted(times, asked), 1, len(times) - 1)
        return self._chance(_between(asked, after, times, odds))

    def day(self, share: float) -> Floats:
        """(n,) whole day up to which, itself counted, a share of such rows, as nearly as can be, have seen the event.

        At most `cap`; 0 is the day of as_of.
        """
        return self._last_day(np.zeros(len(self.reached)), share)

    def interval(self, share: float) -> tuple[Floats, Floats]:
        """(n,) first and (n,) last whole day of a closed interval that holds the event with a chance nearest to share.

        Of the intervals that begin on day 0 or at a knot, and come to the share by `cap`, the shortest; of equally
        short ones the earliest. As most rows are likeliest to buy soon, most intervals begin on day 0 and say by when.
        """
        low = np.zeros(len(self.reached))
        high = self._last_day(low, share)
        most = self.within(self.cap + 1.0)
        for knot in self.knots[self.knots <= self.cap]:
            start = np.full(len(low), knot)
            end = self._last_day(start, share)
            shorter = (end - start < high - low) & (self.within(start) + share <= most)
            low, high = np.where(shorter, start, low), np.where(shorter, end, high)
        return low, high

    def _last_day(self, start: Floats, share: float) -> Floats:
        """(n,) last day of the closed interval from (n,) whole days whose chance comes nearest to share."""
        before = self.within(start)
        time = np.minimum(self._time(np.minimum(before + share, 1 - EDGE)), self.cap + 1)
        early, late = (np.maximum(edge, start + 1) for edge in (np.floor(time), np.ceil(time)))
        missed = [np.abs(self.within(edge) - before - share) for edge in (early, late)]
        return np.where(missed[0] <= missed[1], early, late) - 1

    def _time(self, share: Floats) -> Floats:
        """(n,) days by which the chance has come to (n,) shares below 1; the end of what is told where it has not."""
        times, odds = self._line
        target = self._odds(share)
        after = np.clip((odds < target[:, None]).sum(axis=1), 1, odds.shape[1] - 1)
        rows = np.arange(len(odds))
        low, high = odds[rows, after - 1], odds[rows, after]
        part = (np.minimum(target, high) - low) / np.maximum(high - low, np.finfo(np.float64).tiny)
        found = times[after - 1] + part * (times[after] - times[after - 1])
        return np.asarray(np.where(target > odds[:, -1], times[-1], found))

    def _odds(self, chance: Floats) -> Floats:
        return np.asarray(self.frailty * np.expm1(-np.log1p(-chance) / self.frailty))

    def _chance(self, odds: Floats) -> Floats:
        return np.asarray(-np.expm1(-self.frailty * np.log1p(odds / self.frailty)))

    @cached_property
    def _line(self) -> tuple[Floats, Floats]:
        """Knots with day 0 before and the day after the cap behind them, and the odds there."""
        last = self.knots[-1]
        end = max(self.cap + 1.0, last + 1.0)
        odds = self._odds(self.reached)
        return np.concatenate([[0], self.knots, [end]]), np.hstack(
            [np.zeros((len(odds), 1)), odds, odds[:, -1:] * (end / last)]
        )


def fit_frailty(reached: Floats, days: Floats, span: float) -> float:
    """Learn the frailty from when within a span the events came: the earlier, the less alike the rows are.

    reached: (n,) chances below 1 that the event comes in the first `span` days; days: (n,) whole days to it, those of
    the span alone are looked at (NaN = later). Maximum likelihood of the day given that it lies within the span, with
    one row's worth of belief in `USUAL_FRAILTY`.
    """
    seen = days < span
    chance, day = np.clip(reached[seen], EDGE, 1 - EDGE), days[seen]

    def loss(log_frailty: float) -> float:
        curves = Curves(np.array([span]), chance[:, None], float(np.exp(log_frailty)), int(span))
        fallen = np.maximum(curves.within(day + 1) - curves.within(day), 1e-12)
        return float(-np.log(fallen / chance).sum() + 0.5 * (log_frailty - np.log(USUAL_FRAILTY)) ** 2)

    low, high = np.log(FRAILTIES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def rearranged(raw: Floats) -> Floats:
    """Make chances (n, h) non-decreasing along each row, moving them as little as possible (least squares).

    Pools neighbours that stand the wrong way round, as isotonic regression does, with equal weights.
    """
    fitted = np.empty_like(raw)
    counts = np.arange(1, raw.shape[1] + 1)
    sums = np.hstack([np.zeros((len(raw), 1)), np.cumsum(raw, axis=1)])
    for at in range(raw.shape[1]):
        # Isotonic regression by its min-max formula: max over starts i <= at of min over ends j >= at of mean(i..j).
        best = np.full(len(raw), -np.inf)
        for start in range(at + 1):
            means = (sums[:, at + 1 :] - sums[:, [start]]) / (counts[at:] - start)
            best = np.maximum(best, means.min(axis=1))
        fitted[:, at] = best
    return np.asarray(np.maximum.accumulate(fitted, axis=1))  # equal means differ in their last bit


def _between(asked: Floats, after: "np.ndarray", times: Floats, values: Floats) -> Floats:
    """(n,) values (n, h) at (n,) times, on the straight line between the points after - 1 and after."""
    rows = np.arange(len(values))
    part = (asked - times[after - 1]) / (times[after] - times[after - 1])
    return np.asarray((1 - part) * values[rows, after - 1] + part * values[rows, after])
