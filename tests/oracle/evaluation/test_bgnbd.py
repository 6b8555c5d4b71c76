"""BG/NBD against simulated customers and against plain averaging over rates and chances to leave."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy.special import hyp2f1

from recsys.evaluation.peers.bgnbd import BgNbd, Histories, fit_bgnbd

TRUE = BgNbd(r=0.8, alpha=20.0, a=0.8, b=2.5)
CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)  # in weeks, as published
AHEAD = 28.0


def simulate(
    model: BgNbd, customers: int, *, seed: int, known: tuple[float, float] = (30.0, 365.0)
) -> tuple[Histories, np.ndarray]:
    """Let customers buy and leave; return their pasts and whether each bought in the AHEAD days after.

    known: the shortest and the longest time from a first purchase to now.
    """
    rng = np.random.default_rng(seed)
    total = rng.uniform(*known, customers)
    x, t_x, later = np.zeros(customers), np.zeros(customers), np.zeros(customers, dtype=bool)
    for number in range(customers):
        rate, leave = rng.gamma(model.r) / model.alpha, rng.beta(model.a, model.b)
        now = rng.exponential(1 / rate)
        while now < total[number] + AHEAD:
            if now >= total[number]:
                later[number] = True
                break
            x[number], t_x[number] = x[number] + 1, now
            if rng.random() < leave:
                break
            now += rng.exponential(1 / rate)
    return Histories(x, t_x, total), later


@pytest.fixture(scope="module")
def customers() -> tuple[Histories, np.ndarray]:
    return simulate(TRUE, 15_000, seed=1)


def pick(past: Histories, rows: np.ndarray) -> Histories:
    return Histories(past.x[rows], past.t_x[rows], past.total[rows])


def test_the_fit_finds_the_simulated_parameters(customers: tuple[Histories, np.ndarray]) -> None:
    found = fit_bgnbd(customers[0])

    assert astuple(found) == pytest.approx(astuple(TRUE), rel=0.15)


def test_the_fit_finds_the_published_parameters_within_its_standard_errors() -> None:
    """As many customers as the CDNOW file has, over as many weeks, drawn from the parameters published for it."""
    published = np.log(astuple(CDNOW))
    errors = []
    for seed in range(4):
        past, _ = simulate(CDNOW, 2357, seed=seed, known=(27.0, 39.0))
        found = np.log(astuple(fit_bgnbd(past)))
        errors.append((found - published) / standard_errors(past, found))

    assert np.abs(errors).max() < 3
    assert 0.4 < np.sqrt(np.mean(np.square(errors))) < 1.8  # neither lucky nor biased


def standard_errors(past: Histories, logs: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Standard errors of the parameters' logs, from second differences of the likelihood."""

    def loss(at: np.ndarray) -> float:
        return -float(BgNbd(*np.exp(at)).log_likelihood(past).sum())

    moves = step * np.eye(4)
    second = [
        [loss(logs + i + j) - loss(logs + i - j) - loss(logs - i + j) + loss(logs - i - j) for j in moves]
        for i in moves
    ]
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(np.array(second) / (4 * step**2)))))


def test_the_fit_is_the_top_of_the_likelihood(customers: tuple[Histories, np.ndarray]) -> None:
    past = pick(customers[0], np.arange(len(customers[0].x)) % 5 == 0)
    best = fit_bgnbd(past)
    top = best.log_likelihood(past).sum()

    for name in ("r", "alpha", "a", "b"):
        for factor in (0.9, 0.97, 1.03, 1.1):
            moved = replace(best, **{name: getattr(best, name) * factor})
            assert moved.log_likelihood(past).sum() < top + 1e-4, (name, factor)


def test_the_fit_on_recent_buyers_alone_finds_them_too(customers: tuple[Histories, np.ndarray]) -> None:
    past = customers[0]
    recent = pick(past, past.total - past.t_x < 84)

    assert astuple(fit_bgnbd(recent, lately=84.0)) == pytest.approx(astuple(TRUE), rel=0.35)
    naive = fit_bgnbd(recent)
    assert naive.a / (naive.a + naive.b) < 0.5 * TRUE.a / (TRUE.a + TRUE.b)  # they would seem to stay


def test_the_chance_of_no_purchase_is_what_happens(customers: tuple[Histories, np.ndarray]) -> None:
    past, later = customers
    chance = TRUE.no_purchase(past, AHEAD)

    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        rows = (chance >= low) & (chance < high)
        kept = 1 - later[rows].mean()
        error = np.sqrt(kept * (1 - kept) / rows.sum())
        assert abs(kept - chance[rows].mean()) < 4 * error + 0.002, (low, high)


@pytest.mark.parametrize(("x", "t_x", "total"), [(0, 0, 100), (1, 90, 100), (1, 5, 100), (6, 80, 120), (12, 30, 200)])
def test_the_chance_of_no_purchase_averages_over_rates_and_leavers(x: int, t_x: float, total: float) -> None:
    """Draw rates and chances to leave, weigh each by how likely it makes the past, average e^(-rate * ahead)."""
    rng = np.random.default_rng(7)
    rate, leave = rng.gamma(TRUE.r, 1 / TRUE.alpha, 2_000_000), rng.beta(TRUE.a, TRUE.b, 2_000_000)
    alive = (1 - leave) ** x * rate**x * np.exp(-rate * total)
    gone = leave * (1 - leave) ** (x - 1) * rate**x * np.exp(-rate * t_x) if x else np.zeros_like(rate)
    slow = (gone + alive * np.exp(-rate * AHEAD)).sum() / (gone + alive).sum()

    past = Histories(np.array([float(x)]), np.array([float(t_x)]), np.array([float(total)]))

    assert TRUE.no_purchase(past, AHEAD)[0] == pytest.approx(slow, rel=0.02)
    assert TRUE.log_likelihood(past)[0] == pytest.approx(np.log((alive + gone).mean()), abs=0.05)


def test_the_purchases_expected_are_those_published() -> None:
    """Fader, Hardie, Lee, Implementing the BG/NBD Model in Excel, 2005: a customer of 2 purchases, 39 weeks ahead."""
    past = Histories(np.array([2.0]), np.array([30.43]), np.array([38.86]))

    assert CDNOW.purchases(past, 39.0)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("model", [TRUE, CDNOW, BgNbd(r=1.4, alpha=9.0, a=0.01, b=5.0)])
def test_the_purchases_expected_follow_the_papers_formula(model: BgNbd) -> None:
    x, t_x, total = np.array([0.0, 1, 3, 12, 40]), np.array([0.0, 5, 30, 90, 118]), np.array([100.0, 60, 31, 120, 120])
    for ahead in (1.0, 28.0, 90.0):
        turn = model.alpha + total + ahead
        series = hyp2f1(model.r + x, model.b + x, model.a + model.b + x - 1, ahead / turn)
        alive = 1 - ((model.alpha + total) / turn) ** (model.r + x) * series
        odds = model.a / np.maximum(model.b + x - 1, 1e-9)
        gone = np.where(x > 0, odds * ((model.alpha + total) / (model.alpha + t_x)) ** (model.r + x), 0.0)
        paper = (model.a + model.b + x - 1) / (model.a - 1) * alive / (1 + gone)

        assert model.purchases(Histories(x, t_x, total), ahead) == pytest.approx(paper, rel=2e-3)


def test_long_histories_do_not_overflow() -> None:
    past = Histories(np.array([3000.0]), np.array([3999.0]), np.array([4000.0]))

    assert TRUE.purchases(past, 90.0)[0] == pytest.approx(90 * 3000 / 4000, rel=0.05)


def test_the_chance_to_be_seen_lately_is_the_share_simulated(customers: tuple[Histories, np.ndarray]) -> None:
    past = customers[0]
    told = np.exp(TRUE.log_seen_lately(past.total, 84.0))

    for low, high in ((30, 84), (84, 150), (150, 250), (250, 365)):
        rows = (past.total >= low) & (past.total < high)
        assert told[rows].mean() == pytest.approx((past.total - past.t_x < 84)[rows].mean(), abs=0.02)
