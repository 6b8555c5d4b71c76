import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from recsys.models.survival import Curves, fit_frailty, rearranged

KNOTS = np.array([3.0, 7, 14, 28, 56])
CAP = 120
CHANCES = arrays(np.float64, (4, 5), elements=st.floats(0, 0.999))
FRAILTIES = st.sampled_from([0.3, 2.0, 400.0])


def slow_within(curves: Curves, row: int, day: int) -> float:
    """Chance of one row by one whole day, from the definition."""
    odds = [0.0, *((1 - chance) ** (-1 / curves.frailty) - 1 for chance in curves.reached[row])]
    times = [0.0, *curves.knots]
    if day >= times[-1]:
        found = odds[-1] * day / times[-1]
    else:
        after = next(at for at, time in enumerate(times) if time > day)
        part = (day - times[after - 1]) / (times[after] - times[after - 1])
        found = odds[after - 1] + part * (odds[after] - odds[after - 1])
    return float(1 - (1 + found) ** -curves.frailty)


def nearest(chances: list[float], start: int, share: float) -> int:
    """First of the days whose closed interval from start comes nearest to share."""
    return min(range(start, CAP + 1), key=lambda day: (round(abs(chances[day + 1] - chances[start] - share), 9), day))


@given(CHANCES)
@settings(max_examples=60, deadline=None)
def test_rearranging_is_isotonic_regression_of_each_row(raw: np.ndarray) -> None:
    slow = np.array([IsotonicRegression().fit_transform(np.arange(5), row) for row in raw])
    np.testing.assert_allclose(rearranged(raw), slow, atol=1e-9)


@given(CHANCES, FRAILTIES)
@settings(max_examples=60, deadline=None)
def test_chances_are_those_of_the_definition_and_never_fall(raw: np.ndarray, frailty: float) -> None:
    curves = Curves(KNOTS, rearranged(raw), frailty, CAP)
    days = (0, 1, 5, 7, 14, 28, 56, 90, 200)
    within = np.column_stack([curves.within(days) for days in days])
    slow = np.array([[slow_within(curves, row, day) for day in days] for row in range(4)])
    np.testing.assert_allclose(within, slow, rtol=1e-6, atol=1e-9)
    assert (np.diff(within, axis=1) >= -1e-12).all()
    np.testing.assert_allclose(within[:, [3, 4, 5, 6]], curves.reached[:, 1:], atol=1e-9)
    own = np.array([1.0, 20, 60, 100])
    slow = np.array([slow_within(curves, row, int(day)) for row, day in enumerate(own)])
    np.testing.assert_allclose(curves.within(own), slow, rtol=1e-6, atol=1e-9)


@given(CHANCES, FRAILTIES)
@settings(max_examples=80, deadline=None)
def test_days_and_intervals_are_those_found_by_trying_every_one(raw: np.ndarray, frailty: float) -> None:
    curves = Curves(KNOTS, rearranged(raw), frailty, CAP)
    low, high = curves.interval(0.8)
    half = curves.day(0.5)
    for row in range(4):
        chances = [slow_within(curves, row, day) for day in range(CAP + 2)]
        room = [chances[CAP + 1] - chances[int(knot)] - 0.8 for knot in KNOTS]
        assume(all(abs(left) > 1e-9 for left in room))  # else rounding decides whether a knot may be a start
        starts = [0, *(int(knot) for knot in KNOTS if chances[int(knot)] + 0.8 <= chances[CAP + 1])]
        slow = min(((start, nearest(chances, start, 0.8)) for start in starts), key=lambda pair: pair[1] - pair[0])
        found = (int(low[row]), int(high[row]))

        def held(pair: tuple[int, int], chances: list[float] = chances) -> float:
            return abs(chances[pair[1] + 1] - chances[pair[0]] - 0.8)

        assert found[0] in starts
        assert held(found) == pytest.approx(held(slow), abs=1e-6) or found[1] - found[0] < slow[1] - slow[0]
        assert found[1] - found[0] == slow[1] - slow[0] or held(found) == pytest.approx(held(slow), abs=1e-6)
        assert abs(chances[int(half[row]) + 1] - 0.5) == pytest.approx(
            abs(chances[nearest(chances, 0, 0.5) + 1] - 0.5), abs=1e-6
        )


def test_steady_rates_give_exponential_days_even_beyond_the_last_knot() -> None:
    reached = 1 - np.exp(-KNOTS / 60)[None, :]
    curves = Curves(KNOTS, reached, 500.0, 365)
    np.testing.assert_allclose(curves.within(112.0), 1 - np.exp(-112 / 60), atol=2e-3)
    assert curves.day(0.5).tolist() == [round(60 * np.log(2)) - 1]
    low, high = curves.interval(0.8)
    assert (low.tolist(), high.tolist()) == ([0], [round(60 * np.log(5)) - 1])


def test_who_is_sure_not_to_buy_at_once_has_an_interval_that_begins_later() -> None:
    reached = np.array([[0.0, 0.02, 0.85, 0.97, 0.99]])
    low, high = Curves(KNOTS, reached, 5.0, 365).interval(0.8)
    assert (low.tolist(), high.tolist()) == ([7], [12])


def test_who_never_comes_is_told_the_cap() -> None:
    curves = Curves(KNOTS, np.zeros((1, 5)), 5.0, 365)
    assert curves.day(0.5).tolist() == [365]
    assert [day.tolist() for day in curves.interval(0.8)] == [[0], [365]]
    assert curves.within(28).tolist() == [0]


def test_who_comes_at_once_is_told_today() -> None:
    curves = Curves(KNOTS, np.full((1, 5), 0.999999), 5.0, 365)
    assert curves.day(0.5).tolist() == [0]
    assert [day.tolist() for day in curves.interval(0.8)] == [[0], [0]]


@pytest.mark.parametrize("frailty", [1.0, 3.0])
def test_the_frailty_of_mixed_rates_is_found_and_foretells_what_lies_beyond(frailty: float) -> None:
    rng = np.random.default_rng(4)
    usual = rng.uniform(0.005, 0.05, 60_000)
    rate = usual * rng.gamma(frailty, 1 / frailty, len(usual))
    days = np.floor(rng.exponential(1 / rate))
    reached = 1 - (1 + 28 * usual / frailty) ** -frailty
    found = fit_frailty(reached, np.where(days < 28, days, np.nan), 28.0)
    assert found == pytest.approx(frailty, rel=0.15)
    curves = Curves(np.array([28.0]), reached[:, None], found, 365)
    assert curves.within(112).mean() == pytest.approx((days < 112).mean(), abs=0.01)
    steady = Curves(np.array([28.0]), reached[:, None], 500.0, 365)
    assert steady.within(112).mean() > (days < 112).mean() + 0.03


def test_rows_that_are_alike_have_a_large_frailty_and_no_rows_the_usual_one() -> None:
    rng = np.random.default_rng(5)
    days = np.floor(rng.exponential(30, 60_000))
    assert fit_frailty(np.full(len(days), 1 - np.exp(-56 / 30)), days, 56.0) > 30
    assert fit_frailty(np.empty(0), np.empty(0), 56.0) == pytest.approx(5.0, rel=1e-3)


def test_no_rows_no_curves() -> None:
    curves = Curves(KNOTS, np.empty((0, 5)), 5.0, 365)
    assert len(curves.within(14)) == len(curves.day(0.5)) == len(rearranged(np.empty((0, 5)))) == 0
    assert [len(day) for day in curves.interval(0.8)] == [0, 0]
