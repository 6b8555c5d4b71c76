"""Gamma-Gamma against simulated customers and against plain averaging over what purchases are worth."""

import numpy as np
import pytest

from recsys.evaluation.peers.gamma_gamma import GammaGamma, fit_gamma_gamma

PUBLISHED = GammaGamma(p=6.25, q=3.74, gamma=15.44)  # Fader, Hardie, 2013: the CDNOW customers


def simulate(model: GammaGamma, customers: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Purchases of each customer and their mean worth."""
    rng = np.random.default_rng(seed)
    purchases = rng.integers(1, 12, customers).astype(float)
    scale = rng.gamma(model.q, 1 / model.gamma, customers)
    return purchases, rng.gamma(model.p * purchases) / scale / purchases


def test_the_fit_finds_the_simulated_parameters() -> None:
    found = fit_gamma_gamma(*simulate(PUBLISHED, 20_000, seed=1))

    assert (found.p, found.q, found.gamma) == pytest.approx((6.25, 3.74, 15.44), rel=0.12)


def test_those_without_a_purchase_or_a_worth_teach_nothing() -> None:
    purchases, mean = simulate(PUBLISHED, 3000, seed=2)
    more = np.append(purchases, [0.0, 3.0]), np.append(mean, [5.0, 0.0])

    assert fit_gamma_gamma(*more) == fit_gamma_gamma(purchases, mean)
    assert np.isfinite(fit_gamma_gamma(np.zeros(3), np.zeros(3)).worth(np.zeros(1), np.zeros(1))).all()


@pytest.mark.parametrize(("purchases", "mean"), [(1.0, 30.0), (4.0, 30.0), (9.0, 80.0)])
def test_the_worth_averages_over_customers_weighed_by_their_past(purchases: float, mean: float) -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(PUBLISHED.q, 1 / PUBLISHED.gamma, 2_000_000)
    shape = PUBLISHED.p * purchases
    likely = np.exp(shape * np.log(rate) - rate * purchases * mean + rate.mean() * purchases * mean)
    slow = (likely * PUBLISHED.p / rate).sum() / likely.sum()

    assert PUBLISHED.worth(np.array([purchases]), np.array([mean]))[0] == pytest.approx(slow, rel=0.02)


def test_without_purchases_it_is_everybodys_mean() -> None:
    everybody = PUBLISHED.p * PUBLISHED.gamma / (PUBLISHED.q - 1)

    assert PUBLISHED.worth(np.zeros(1), np.zeros(1))[0] == pytest.approx(everybody)
