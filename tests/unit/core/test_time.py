from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.core.errors import ConfigError
from recsys.core.time import AsOf, Window


def test_as_of_is_the_first_instant_of_the_mall_day_in_utc() -> None:
    assert AsOf.parse("2025-03-31", "Asia/Shanghai").instant == datetime(2025, 3, 30, 16, tzinfo=UTC)


def test_as_of_follows_daylight_saving() -> None:
    winter, summer = AsOf.parse("2025-03-30", "Europe/Berlin"), AsOf.parse("2025-03-31", "Europe/Berlin")
    assert (summer.instant - winter.instant).total_seconds() == 23 * 3600
    assert summer.number - winter.number == 1


@pytest.mark.parametrize(
    "text", ["2025-13-01", "yesterday", "", "2025-02-29", "0001-01-01", "1969-12-31", "2200-01-01", "9999-12-31"]
)
def test_what_is_no_day_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AsOf.parse(text)
    assert caught.value.fields["setting"] == "as_of"


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(ConfigError) as caught:
        _ = AsOf(date(2025, 1, 1), "Mars/Olympus").instant
    assert caught.value.fields["setting"] == "timezone"


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 400), st.integers(-500, 500))
def test_windows_are_half_open_and_meet_without_a_gap(day: date, days: int, offset: int) -> None:
    as_of = AsOf(day)
    before, after = Window.before(as_of, days=days), Window.after(as_of, days=days)
    tested = as_of.number + offset
    assert (tested in before) == (-days <= offset < 0)
    assert (tested in after) == (0 <= offset < days)
    assert before.end == after.start
    assert before.days == after.days == days


def test_a_window_cannot_end_before_it_starts_nor_mix_zones() -> None:
    early, late = AsOf.parse("2025-01-01"), AsOf.parse("2025-01-02")
    with pytest.raises(ConfigError):
        Window(late, early)
    with pytest.raises(ConfigError):
        Window(early, AsOf.parse("2025-01-02", "Asia/Tokyo"))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("text", ["1970-01-01", "2199-12-31"])
def test_days_at_the_bounds_have_instants_and_windows(text: str, zone: str) -> None:
    as_of = AsOf.parse(text, zone)
    assert abs(as_of.instant.timestamp() / 86_400 - as_of.number) < 1
    assert Window.before(as_of, days=365).days == 365
