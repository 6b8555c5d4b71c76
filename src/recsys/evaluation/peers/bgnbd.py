"""The BG/NBD model of purchases by customers who may silently leave: Fader, Hardie, Lee, Marketing Science 24, 2005.

While alive a customer buys at a constant rate, gamma(r, alpha) over customers; after each purchase but the first one
the customer leaves for good with a probability that is beta(a, b) over customers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, gammaln, logsumexp

from recsys.evaluation.judged import Floats

BOUND = 8.0
NODES = 32
CUSTOMERS = 30_000
TINY = 1e-12


@dataclass(frozen=True)
class Histories:
    """Customers' pasts, all (n,), one unit of time.

    x: purchases after the first one. t_x: time from the first to the last purchase, 0 when x is 0.
    total: time from the first purchase to now.
    """

    x: Floats
    t_x: Floats
    total: Floats


@dataclass(frozen=True)
class BgNbd:
    """The four parameters, all above 0; alpha in the histories' unit of time."""

    r: float
    alpha: float
    a: float
    b: float

    def no_purchase(self, past: Histories, ahead: float) -> Floats:
        """(n,) chance that nothing is bought in the time `ahead`: gone already, or alive and not buying.

        Not one minus the chance to be alive, which says nothing about when an alive customer buys.
        """
        alive, gone = self._log_states(past)
        quiet = alive + (self.r + past.x) * np.log((self.alpha + past.total) / (self.alpha + past.total + ahead))
        return np.asarray(np.exp(np.logaddexp(gone, quiet) - np.logaddexp(gone, alive)))

    def purchases(self, past: Histories, ahead: float) -> Floats:
        """(n,) purchases expected in the time `ahead`: the paper's equation 10.

        Alive, a customer of rate l who leaves with chance p is expected to buy (1 - exp(-p l ahead)) / p times. That is
        averaged over what the past leaves of the rates in closed form, and over the chances to leave by Gauss-Legendre
        quadrature of their quantiles; the hypergeometric function of the paper overflows on long histories.
        """
        node, weight = np.polynomial.legendre.leggauss(NODES)
        counts, place = np.unique(past.x, return_inverse=True)
        quantiles = betaincinv(self.a, (self.b + counts)[:, None], (1 + node) / 2)
        p = np.maximum(quantiles, TINY)[place]
        shape, rate = (self.r + past.x)[:, None], (self.alpha + past.total)[:, None]
        alive, gone = self._log_states(past)
        if_alive = -np.expm1(-shape * np.log1p(p * ahead / rate)) / p @ (weight / 2)
        return np.asarray(np.exp(alive - np.logaddexp(gone, alive)) * if_alive)

    def log_likelihood(self, past: Histories) -> Floats:
        """(n,) log density of each past."""
        alive, gone = self._log_states(past)
        rate = gammaln(self.r + past.x) - gammaln(self.r) + self.r * np.log(self.alpha)
        stay = betaln(self.a, self.b + past.x) - betaln(self.a, self.b)
        return np.asarray(rate + stay + np.logaddexp(alive, gone))

    def log_seen_lately(self, total: Floats, lately: float) -> Floats:
        """(n,) log chance that somebody `total` after the first purchase has bought within the last `lately`.

        0 where total <= lately. Else alive at total - lately and not without a purchase since, averaged over rates in
        closed form and over chances to leave by Gauss-Legendre quadrature of their quantiles.
        """
        start = np.maximum(total - lately, 0)[:, None]
        node, weight = np.polynomial.legendre.leggauss(NODES)
        p, share = betaincinv(self.a, self.b, (1 + node) / 2), np.log(weight / 2)
        alive = -self.r * np.log1p(p * start / self.alpha)
        quiet = -self.r * np.log1p((p * start + lately) / self.alpha)
        seen = logsumexp(alive + np.log(-np.expm1(quiet - alive)) + share, axis=1)
        return np.asarray(np.where(total > lately, seen, 0.0))

    def _log_states(self, past: Histories) -> tuple[Floats, Floats]:
        """Log weights, up to a common factor, of being alive now and of having left at the last purchase."""
        alive = -(self.r + past.x) * np.log(self.alpha + past.total)
        odds = np.log(self.a) - np.log(np.maximum(self.b + past.x - 1, 1e-12))
        gone = odds - (self.r + past.x) * np.log(self.alpha + past.t_x)
        return alive, np.where(past.x > 0, gone, -np.inf)


def fit_bgnbd(past: Histories, *, lately: float | None = None) -> BgNbd:
    """Fit by maximum likelihood, to at most `CUSTOMERS` of the histories, evenly spread.

    lately: when the histories are only of customers who have bought within the last so much time, condition on it;
        without that, such customers would seem never to leave.
    """
    step = -(-len(past.x) // CUSTOMERS)
    past = Histories(past.x[::step], past.t_x[::step], past.total[::step])
    unit = float(max(past.total.max(initial=0), 1.0)) / 10
    scaled = Histories(past.x, past.t_x / unit, past.total / unit)
    recent = None if lately is None else lately / unit
    totals, place = np.unique(scaled.total, return_inverse=True)

    def loss(logs: Floats) -> float:
        model = BgNbd(*(float(value) for value in np.exp(logs)))
        value = model.log_likelihood(scaled).mean()
        if recent is not None:
            value -= model.log_seen_lately(totals, recent)[place].mean()
        return float(-value)

    starts = (np.zeros(4), np.array([0.0, 0.0, -1.5, 1.0]))
    found = [minimize(loss, start, method="L-BFGS-B", bounds=[(-BOUND, BOUND)] * 4) for start in starts]
    r, alpha, a, b = np.exp(min(found, key=lambda one: float(one.fun)).x)
    return BgNbd(float(r), float(alpha) * unit, float(a), float(b))
