import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from recsys.models.survival import Curves, rearranged

KNOTS = np.array([3.0, 7, 14, 28, 56])
CHANCES = arrays(np.float64, (4, 5), elements=st.floats(0, 0.999))


@given(CHANCES)
@settings(max_examples=60, deadline=None)
def test_rearranging_is_isotonic_regression_of_each_row(raw: np.ndarray) -> None:
    slow = np.array([IsotonicRegression().fit_transform(np.arange(5), row) for row in raw])
    np.testing.assert_allclose(rearranged(raw), slow, atol=1e-9)


@given(CHANCES)
@settings(max_examples=60, deadline=None)
def test_what_is_told_agrees(raw: np.ndarray) -> None:
    curves = Curves(KNOTS, rearranged(raw), 365.0)
    within = np.column_stack([curves.within(days) for days in (0, 1, 7, 14, 28, 56, 200)])
    assert (np.diff(within, axis=1) >= -1e-12).all()
    np.testing.assert_allclose(within[:, [2, 3, 4, 5]], curves.reached[:, 1:], atol=1e-9)
    quantiles = np.column_stack([curves.quantile(share) for share in (0.1, 0.5, 0.9)])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert ((quantiles >= 0) & (quantiles <= 365)).all()
    inside = (quantiles > 0) & (quantiles < 365)
    for at, share in enumerate((0.1, 0.5, 0.9)):
        for row in np.flatnonzero(inside[:, at]):
            back = Curves(KNOTS, curves.reached[[row]], 365.0)
            day = quantiles[row, at] + 0.5
            assert back.within(day - 0.01)[0] <= share + 1e-9
            assert back.within(day + 0.01)[0] >= share - 1e-9


def test_a_constant_hazard_gives_exponential_quantiles_even_beyond_the_last_knot() -> None:
    reached = 1 - np.exp(-KNOTS / 60)[None, :]
    curves = Curves(KNOTS, reached, 365.0)
    for share in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(curves.quantile(share), -60 * np.log(1 - share) - 0.5)


def test_who_never_comes_is_told_the_cap() -> None:
    curves = Curves(KNOTS, np.zeros((1, 5)), 365.0)
    assert curves.quantile(0.1).tolist() == [365]
    assert curves.within(28).tolist() == [0]


def test_no_rows_no_curves() -> None:
    curves = Curves(KNOTS, np.empty((0, 5)), 365.0)
    assert len(curves.within(14)) == len(curves.quantile(0.5)) == len(rearranged(np.empty((0, 5)))) == 0
