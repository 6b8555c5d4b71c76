import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.answers.risk import HIGH_ODDS, Band, band, high_from

CHANCES = st.floats(0.001, 0.999)


@given(CHANCES, CHANCES)
def test_high_is_so_many_times_the_odds_of_the_average(score: float, base: float) -> None:
    times = (score / (1 - score)) / (base / (1 - base))
    if not math.isclose(times, HIGH_ODDS, rel_tol=1e-9) and not math.isclose(times, 1, rel_tol=1e-9):
        wanted = Band.HIGH if times > HIGH_ODDS else Band.MEDIUM if times > 1 else Band.LOW
        assert band(score, base) is wanted


def test_where_nobody_stands_out_nobody_is_at_high_risk() -> None:
    assert [band(score, 0.3) for score in (0.29, 0.3, 0.31)] == [Band.LOW, Band.MEDIUM, Band.MEDIUM]


def test_where_most_leave_a_risk_is_high_near_certainty_only() -> None:
    assert high_from(0.75) == pytest.approx(0.9)
    assert high_from(0.15) == pytest.approx(0.346, abs=1e-3)
    assert math.isnan(high_from(math.nan))
