"""The sample of an installed package, whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from recsys.core.config import Home
from recsys.core.errors import ConfigError
from recsys.data import samples
from recsys.data.ingest import IngestReport, ingest
from recsys.data.tables import Tables

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def report(home: Home) -> IngestReport:
    return ingest(samples.complete_journey(), home, lambda _step, _done, _total: None)


@pytest.fixture(scope="module")
def sample(home: Home, report: IngestReport) -> Iterator[duckdb.DuckDBPyConnection]:
    assert not report.unchanged
    with Tables.open(home.tables).connect() as connection:
        yield connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return tuple(connection.execute(query).fetchall()[0])


def test_every_row_is_accounted_for(report: IngestReport) -> None:
    assert {table.table: (table.read, table.kept, table.skipped) for table in report.tables} == {
        "orders": (1_469_307, 1_460_438, 0),
        "members": (2_469, 2_469, 0),
        "products": (92_331, 92_331, 0),
        "campaigns": (27, 27, 0),
        "contacts": (6_589, 6_589, 0),
        "coupons": (116_204, 111_332, 4_872),
        "redemptions": (2_102, 2_102, 0),
    }
    assert report.tables[0].rejected == {"quantity must be above 0": 8_869}


def test_money_is_what_the_household_paid(sample: duckdb.DuckDBPyConnection) -> None:
    source = Path(str(samples.complete_journey().source.folder)) / "transactions.parquet"  # type: ignore[union-attr]
    paid, off = one(
        sample,
        f"SELECT sum(greatest(sales_value - coupon_disc, 0)), sum(retail_disc + coupon_disc + coupon_match_disc) "
        f"FROM read_parquet('{source}') WHERE quantity > 0",
    )
    assert one(sample, "SELECT sum(amount), sum(discount) FROM orders") == pytest.approx((paid, off))


def test_shops_sleep_at_night(sample: duckdb.DuckDBPyConnection) -> None:
    at_night, count = one(sample, "SELECT count(*) FILTER (hour BETWEEN 2 AND 5), count(*) FROM orders")
    assert at_night / count < 0.01


def test_the_span_is_one_year(home: Home, report: IngestReport) -> None:
    tables = Tables.open(home.tables)
    assert (str(tables.first), str(tables.end), tables.zone) == ("2017-01-01", "2018-01-01", "America/New_York")
    assert len(report.tables) == 7


def test_members_have_their_demographics(sample: duckdb.DuckDBPyConnection) -> None:
    known, some = one(
        sample, "SELECT count(attributes['income']), count(*) FILTER (cardinality(attributes) > 0) FROM members"
    )
    assert known == some == 801


def test_launches_are_first_sales_of_what_many_buy(sample: duckdb.DuckDBPyConnection) -> None:
    launched, least, early = one(
        sample,
        """
        SELECT count(*), min(members), count(*) FILTER (first_day <> launch_day OR first_day < start + 60)
        FROM (
            SELECT product_id, count(DISTINCT member_id) AS members, min(day) AS first_day,
                (SELECT min(day) FROM orders) AS start
            FROM orders GROUP BY product_id
        )
        JOIN (
            SELECT product_id,
                CAST(timezone('America/New_York', timezone('UTC', launched_at)) AS DATE)
                    - DATE '1970-01-01' AS launch_day
            FROM products WHERE launched_at IS NOT NULL
        ) USING (product_id)
        """,
    )
    assert launched == 347
    assert least >= 30
    assert early == 0


def test_coupons_and_contacts_belong_to_campaigns(sample: duckdb.DuckDBPyConnection) -> None:
    for table in ("contacts", "coupons", "redemptions"):
        assert one(sample, f"SELECT count(*) FROM {table} ANTI JOIN campaigns USING (campaign_id)") == (0,)


def test_without_its_package_the_sample_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"recsys\[sample\]"):
        samples.complete_journey()
