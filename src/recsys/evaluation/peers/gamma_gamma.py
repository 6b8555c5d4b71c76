"""The Gamma-Gamma model of what a purchase is worth: Fader, Hardie, Lee, RFM and CLV, Journal of Marketing Research 42,
2005; as written out in Fader, Hardie, The Gamma-Gamma Model of Monetary Value, 2013.

What one customer's purchases are worth is gamma(p, v), and v is gamma(q, gamma) over customers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from recsys.evaluation.judged import Floats

CUSTOMERS = 30_000


@dataclass(frozen=True)
class GammaGamma:
    """The three parameters, all above 0, q above 1; gamma in money."""

    p: float
    q: float
    gamma: float

    def worth(self, purchases: Floats, mean: Floats) -> Floats:
        """(n,) expected worth of the next purchase of customers whose `purchases` (n,) were worth `mean` (n,) each.

        Everybody's mean for those without purchases; the more there were, the nearer to the customer's own.
        """
        return self.p * (self.gamma + purchases * mean) / (self.p * purchases + self.q - 1)

    def log_likelihood(self, purchases: Floats, mean: Floats) -> Floats:
        """(n,) log density of each customer's mean, of at least one purchase and above 0."""
        q, gamma, px = self.q, self.gamma, self.p * purchases
        counted = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(gamma)
        return np.asarray(
            counted + (px - 1) * np.log(mean) + px * np.log(purchases) - (px + q) * np.log(gamma + purchases * mean)
        )


def fit_gamma_gamma(purchases: Floats, mean: Floats) -> GammaGamma:
    """Fit by maximum likelihood, to at most `CUSTOMERS` of those with a purchase and a mean above 0, evenly spread."""
    known = (purchases > 0) & (mean > 0)
    step = max(1, -(-int(known.sum()) // CUSTOMERS))
    x, m = purchases[known][::step], mean[known][::step]
    unit = float(m.mean()) if len(m) else 1.0

    def loss(logs: Floats) -> float:
        return float(-_of(logs).log_likelihood(x, m / unit).mean()) if len(m) else 0.0

    found = minimize(loss, np.zeros(3), method="L-BFGS-B", bounds=[(-6, 8), (-6, 8), (-8, 10)])
    fitted = _of(found.x)
    return GammaGamma(fitted.p, fitted.q, fitted.gamma * unit)


def _of(logs: Floats) -> GammaGamma:
    p, rest, gamma = (float(value) for value in np.exp(logs))
    return GammaGamma(p, 1 + rest, gamma)
