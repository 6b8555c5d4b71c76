"""A SQL database as the source."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recsys.core.config import Home
from recsys.core.errors import ConfigError, TableError
from recsys.core.folders import current
from recsys.data.ingest import IngestReport, ingest
from recsys.data.mapping import IngestConfig
from recsys.data.schema import SCHEMA
from recsys.data.tables import Tables
from tests.shop import make_frames

LATEST = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def load(home: Home, source: dict[str, Any], **settings: Any) -> IngestReport:
    config = IngestConfig.checked(
        {"timezone": "Asia/Shanghai", "latest": LATEST, "source": {"kind": "sql", **source}, **settings}
    )
    return ingest(config, home, lambda _step, _done, _total: None)


def fill(url: str, members: int = 10) -> dict[str, int]:
    frames = {name: frame for name, frame in make_frames(members=members, days=60).items() if name in SCHEMA}
    engine = sa.create_engine(url)
    with engine.begin() as database:
        for name, frame in frames.items():
            frame.to_sql(name, database, index=False)
    engine.dispose()
    return {name: len(frame) for name, frame in frames.items()}


def test_a_database_of_our_own_names_comes_whole_and_in_chunks(home: Home, url: str) -> None:
    counts = fill(url)
    report = load(home, {"url": url, "chunk": 97})
    assert {table.table: table.kept for table in report.tables} == counts
    assert sum(table.bad for table in report.tables) == 0
    again = load(home, {"url": url})
    assert again.unchanged


def test_a_query_of_the_database_and_a_password_from_the_environment(
    home: Home, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url)
    columns = "order_id, member_id, product_id, ordered_at, sum(quantity) AS quantity, sum(amount) AS amount"
    tables = {"orders": {"query": f"SELECT {columns} FROM orders GROUP BY 1, 2, 3, 4"}}
    with pytest.raises(ConfigError, match="SHOP_URL is not set"):
        load(home, {"url_env": "SHOP_URL"}, tables=tables)
    monkeypatch.setenv("SHOP_URL", url)
    report = load(home, {"url_env": "SHOP_URL"}, tables=tables)
    assert report.tables[0].kept > 100


def test_values_of_every_type(home: Home, url: str) -> None:
    metadata = sa.MetaData()
    orders = sa.Table(
        "verkauf",
        metadata,
        sa.Column("order_id", sa.Integer),
        sa.Column("member_id", sa.LargeBinary),
        sa.Column("product_id", sa.String),
        sa.Column("ordered_at", sa.DateTime),
        sa.Column("quantity", sa.Float),
        sa.Column("amount", sa.Numeric(10, 2)),
        sa.Column("is_return", sa.Boolean),
        sa.Column("odd name", sa.String),
    )
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    row = (7, "王".encode(), "茶", datetime(2024, 3, 1, 9, 30, 0, 5), 1.5, Decimal("2.50"), True, '大 "L"')  # noqa: DTZ001
    with engine.begin() as database:
        database.execute(orders.insert().values(row))
    engine.dispose()
    tables: dict[str, Any] = {
        "orders": {"from": "main.verkauf", "zone": "mall", "columns": {"channel": "odd name"}},
    }
    load(home, {"url": url}, tables=tables)
    with Tables.open(home.tables).connect() as connection:
        found = connection.execute(
            "SELECT order_id, member_id, CAST(ordered_at AS VARCHAR), quantity, amount, is_return, channel FROM orders"
        ).fetchall()
    assert found == [("7", "王", "2024-03-01 01:30:00.000005", 1.5, 2.5, True, '大 "L"')]


def test_a_time_of_the_future_is_bad(home: Home, url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as database:
        database.execute(sa.text("CREATE TABLE orders (order_id, member_id, product_id, ordered_at, quantity, amount)"))
        for day in ("2024-01-01", date(2999, 1, 1).isoformat()):
            row = {"day": day}
            database.execute(sa.text("INSERT INTO orders VALUES (1, 'm', 'p', :day, 1, 1)"), row)
    engine.dispose()
    config = IngestConfig.checked({"timezone": "UTC", "max_bad_share": 0.5, "source": {"kind": "sql", "url": url}})
    report = ingest(config, home, lambda _step, _done, _total: None)
    assert (report.tables[0].kept, report.tables[0].bad) == (1, 1)


@pytest.mark.parametrize(
    ("source", "tables", "error"),
    [
        ({"url": "no url"}, {}, ConfigError),
        ({"url": "sqlite:////nowhere/at/all.db"}, {}, TableError),
        ({}, {"orders": {"query": "SELECT nothing"}}, TableError),
        ({}, {"orders": {"query": "SELECT 1 AS order_id, 2 AS order_id"}}, TableError),
        ({}, {"orders": {"from": "sales"}}, TableError),
        ({}, {}, TableError),
    ],
)
def test_what_cannot_be_read_is_refused(
    home: Home, url: str, source: dict[str, Any], tables: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        load(home, {"url": url, **source}, tables=tables)
    assert current(home.tables) is None
