"""Half-open time, end to end: what lies a microsecond before as_of is past, what lies at it is future."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.core.frames import Rows
from recsys.core.task import Task, View
from recsys.core.time import AsOf, Window
from recsys.data.engine import connect, day_number
from recsys.data.tables import Tables
from recsys.labels.outcomes import label
from tests.shop import store

MICROSECOND = timedelta(microseconds=1)
ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "UTC",
)
DAYS = st.dates(date(2009, 1, 1), date(2025, 12, 31))
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def naive(as_of: AsOf) -> datetime:
    return as_of.instant.replace(tzinfo=None)


def shop(folder: str, zone: str, times: Sequence[datetime]) -> Tables:
    """One order at each instant (naive UTC), by the member and of the product named after its place."""
    names = [f"m{number}" for number in range(len(times))]
    orders = pd.DataFrame(
        {
            "order_id": names,
            "member_id": names,
            "product_id": [f"p{number}" for number in range(len(times))],
            "ordered_at": pd.Series(times, dtype="datetime64[us]"),
            "quantity": 1.0,
            "amount": 1.0,
        }
    )
    return store(Path(folder), {"orders": orders}, zone=zone)


def churn(as_of: AsOf, horizon: int, members: int) -> Rows:
    task = Task("churn", horizon, ("member_id",), (View.MEMBER,), "true", ("score",), "auc")
    keys = pd.DataFrame({"member_id": [f"m{number}" for number in range(members)]})
    return Rows(task, as_of, keys, pd.DataFrame(index=keys.index), ())


@settings(max_examples=200, deadline=None)
@given(day=DAYS, zone=st.sampled_from(ZONES), offset=st.integers(-2, 2))
def test_the_engine_and_python_agree_on_the_mall_day(
    connection: duckdb.DuckDBPyConnection, day: date, zone: str, offset: int
) -> None:
    as_of = AsOf(day, zone)
    time = naive(as_of) + offset * MICROSECOND
    sql = f"SELECT {day_number('CAST($time AS TIMESTAMP)', zone)}"
    found = connection.execute(sql, {"time": time}).fetchall()[0][0]
    assert found == as_of.number + (0 if offset >= 0 else -1)
    local = time.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    assert found == (local - date(1970, 1, 1)).days


@few
@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_a_purchase_at_as_of_is_future_and_one_just_before_is_past(day: date, zone: str) -> None:
    as_of = AsOf(day, zone)
    edge = naive(as_of)
    with TemporaryDirectory() as folder:
        tables = shop(folder, zone, [edge - MICROSECOND, edge, edge + timedelta(days=5)])
        with tables.at(as_of).connect() as connection:
            known = connection.execute("SELECT member_id FROM orders").fetchall()
        stayed_away = label(tables, churn(as_of, 1, 3)).y["y"].tolist()
    assert known == [("m0",)]
    assert stayed_away == [1, 0, 1]


@few
@given(day=DAYS, zone=st.sampled_from(ZONES), horizon=st.integers(1, 40))
def test_a_window_ends_before_its_last_instant(day: date, zone: str, horizon: int) -> None:
    as_of = AsOf(day, zone)
    end = naive(as_of.plus(days=horizon))
    with TemporaryDirectory() as folder:
        tables = shop(folder, zone, [end - MICROSECOND, end])
        labels = label(tables, churn(as_of, horizon, 2))
    assert labels.y["y"].tolist() == [0, 1]
    assert labels.window == Window(as_of, as_of.plus(days=horizon))


@few
@given(
    gaps=st.lists(st.integers(-40, 40), min_size=1, max_size=30),
    seconds=st.integers(0, 86_399),
    horizon=st.integers(1, 30),
    zone=st.sampled_from(ZONES),
)
def test_every_purchase_is_either_known_or_still_to_come(
    gaps: list[int], seconds: int, horizon: int, zone: str
) -> None:
    as_of = AsOf(date(2024, 3, 10), zone)
    times = [naive(as_of) + timedelta(days=gap, seconds=seconds) for gap in gaps] + [naive(as_of.plus(days=60))]
    with TemporaryDirectory() as folder:
        tables = shop(folder, zone, times)
        with tables.at(as_of).connect() as connection:
            known = {row[0] for row in connection.execute("SELECT member_id FROM orders").fetchall()}
        away = label(tables, churn(as_of, horizon, len(times))).y["y"].to_numpy()
    days = [(time.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() - as_of.day).days for time in times]
    assert known == {f"m{number}" for number, day in enumerate(days) if day < 0}
    np.testing.assert_array_equal(away == 0, [0 <= day < horizon for day in days])


@few
@given(shift=st.integers(1, 50), zone=st.sampled_from(ZONES))
def test_what_comes_later_never_changes_a_snapshot(shift: int, zone: str) -> None:
    as_of = AsOf(date(2024, 3, 10), zone)
    past = [naive(as_of.plus(days=-number)) for number in range(1, 6)]
    future = [naive(as_of.plus(days=shift)), naive(as_of)]
    found = []
    with TemporaryDirectory() as folder:
        for name, times in (("past", past), ("both", past + future)):
            snapshot = shop(f"{folder}/{name}", zone, times).at(as_of)
            with snapshot.connect() as connection:
                found.append(connection.execute("FROM orders ORDER BY order_id").fetchall())
    assert found[0] == found[1]
