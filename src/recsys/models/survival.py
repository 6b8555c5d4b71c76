from dataclasses import dataclass

import numpy as np

from recsys.models.encoding import Floats


@dataclass(frozen=True)
class Curves:
    """For each of n rows, the chance that the event has come within t days, for every t >= 0.

    knots: (h,) days, increasing and above 0.
    reached: (n, h) chance that the event comes in the first knots[j] whole days: non-decreasing along a row, below 1.
    cap: no quantile is above so many days.

    Between knots (and from day 0, where the chance is 0) the hazard is constant. Beyond the last knot it stays at the
    average hazard from day 0 to the last knot; what that puts beyond `cap` is told as `cap`.
    """

    knots: Floats
    reached: Floats
    cap: float

    def within(self, days: float) -> Floats:
        """(n,) chance that the event comes in the first so many days."""
        return -np.expm1(-self._hazard_at(days))

    def quantile(self, share: float) -> Floats:
        """(n,) days by which a share of such rows, in (0, 1), have seen the event; at most `cap`.

        An event of whole day d (0 is the day of as_of) is placed at the middle of its day, so the answer is in the same
        unit as `d`: half a day less than where the curve reaches the share, and at least 0.
        """
        target = -np.log1p(-share)
        times, hazards = self._extended()
        after = np.minimum((hazards < target).sum(axis=1), hazards.shape[1] - 1)
        rows = np.arange(len(hazards))
        low, high = hazards[rows, after - 1], hazards[rows, after]
        rise = np.maximum(high - low, np.finfo(np.float64).tiny)
        part = np.clip((target - low) / rise, 0, 1)
        reached = times[after - 1] + part * (times[after] - times[after - 1])
        return np.asarray(np.clip(reached - 0.5, 0, self.cap))

    def _hazard_at(self, days: float) -> Floats:
        times, hazards = self._extended()
        at = int(np.clip(np.searchsorted(times, days), 1, len(times) - 1))
        part = (days - times[at - 1]) / (times[at] - times[at - 1])
        return np.asarray((1 - part) * hazards[:, at - 1] + part * hazards[:, at])

    def _extended(self) -> tuple[Floats, Floats]:
        """Knots with day 0 before and the cap after them, and the cumulative hazards there."""
        last, end = self.knots[-1], max(self.cap + 0.5, self.knots[-1] + 1)
        hazards = -np.log1p(-self.reached)
        tail = hazards[:, -1:] * (end / last)
        return np.concatenate([[0], self.knots, [end]]), np.hstack([np.zeros_like(tail), hazards, tail])


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
