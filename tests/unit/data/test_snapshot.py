from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys.core.errors import ConfigError
from recsys.core.time import AsOf
from recsys.data.schema import SCHEMA, STORED
from recsys.data.snapshot import Snapshot
from recsys.data.tables import Tables
from tests.shop import START, at, make_shop, store

DAY = 10
NOW = AsOf(START + timedelta(days=DAY), "Asia/Shanghai")
EDGE = at(DAY, 0)
JUST_BEFORE = EDGE - timedelta(microseconds=1)


def orders(*times: datetime) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"order_id": str(n), "member_id": "m", "product_id": "p", "ordered_at": time, "quantity": 1, "amount": 1}
            for n, time in enumerate(times)
        ]
    )


def seen(snapshot: Snapshot, query: str) -> list[tuple[Any, ...]]:
    with snapshot.connect() as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Every table has one row a microsecond before as_of, one at it, and one without a time where it may be unknown."""
    times = [JUST_BEFORE, EDGE]
    known = [*times, pd.NaT]
    return store(
        tmp_path_factory.mktemp("edge"),
        {
            "orders": orders(*times, at(60)),
            "members": pd.DataFrame(
                {
                    "member_id": ["old", "new", "ever"],
                    "registered_at": known,
                    "tier": "gold",
                    "points_balance": 5.0,
                    "updated_at": [JUST_BEFORE, EDGE, EDGE],
                }
            ),
            "products": pd.DataFrame(
                {
                    "product_id": ["old", "new", "ever"],
                    "launched_at": known,
                    "delisted_at": [JUST_BEFORE, EDGE, EDGE],
                    "stock": 3.0,
                }
            ),
            "events": pd.DataFrame({"event_id": ["old", "new"], "type": "view", "occurred_at": times}),
            "campaigns": pd.DataFrame({"campaign_id": ["old", "new", "ever"], "starts_at": known}),
            "contacts": pd.DataFrame({"campaign_id": ["old", "new"], "member_id": "m", "sent_at": times}),
            "coupons": pd.DataFrame({"coupon_id": ["old", "new", "ever"], "starts_at": known}),
            "redemptions": pd.DataFrame({"coupon_id": ["old", "new"], "member_id": "m", "redeemed_at": times}),
        },
    )


@pytest.mark.parametrize(
    ("table", "key", "known"),
    [
        ("orders", "order_id", ["0"]),
        ("members", "member_id", ["ever", "old"]),
        ("products", "product_id", ["ever", "old"]),
        ("events", "event_id", ["old"]),
        ("campaigns", "campaign_id", ["ever", "old"]),
        ("contacts", "campaign_id", ["old"]),
        ("coupons", "coupon_id", ["ever", "old"]),
        ("redemptions", "coupon_id", ["old"]),
    ],
)
def test_a_microsecond_before_is_known_and_the_instant_itself_is_not(
    edge: Tables, table: str, key: str, known: list[str]
) -> None:
    assert seen(edge.at(NOW), f"SELECT {key} FROM {table} ORDER BY {key}") == [(name,) for name in known]


def test_what_was_learnt_later_is_null(edge: Tables) -> None:
    members = seen(edge.at(NOW), "SELECT member_id, tier, points_balance, updated_at IS NULL FROM members ORDER BY 1")
    assert members == [("ever", None, None, True), ("old", "gold", 5.0, False)]
    products = seen(edge.at(NOW), "SELECT product_id, delisted_at IS NULL, stock FROM products ORDER BY 1")
    assert products == [("ever", True, None), ("old", False, None)]


def test_stock_is_of_today(edge: Tables) -> None:
    assert edge.end == NOW.plus(days=51)
    for as_of, stock in ((edge.end.plus(days=-1), None), (edge.end, 3.0), (edge.end.plus(days=1), 3.0)):
        assert seen(edge.at(as_of), "SELECT DISTINCT stock FROM products") == [(stock,)]


def test_launches_are_announced_or_at_most_four_weeks_old(tmp_path: Path) -> None:
    times = {
        "long ago": pd.NaT,
        "29 days": at(DAY - 28, 0) - timedelta(microseconds=1),
        "28 days": at(DAY - 28, 0),
        "today": EDGE,
        "next month": at(DAY + 40),
    }
    products = pd.DataFrame({"product_id": list(times), "launched_at": list(times.values()), "stock": 1.0})
    tables = store(tmp_path, {"orders": orders(EDGE), "products": products})
    launches = seen(tables.at(NOW), "SELECT product_id, launch_day FROM launches ORDER BY launch_day")
    assert launches == [("28 days", NOW.number - 28), ("today", NOW.number), ("next month", NOW.number + 40)]
    columns = [row[0] for row in seen(tables.at(NOW), "DESCRIBE launches")]
    assert columns == [
        *(column.name for column in SCHEMA["products"].columns if column.name not in ("delisted_at", "stock")),
        "launch_day",
    ]


def test_columns_are_those_of_the_tables(tmp_path: Path) -> None:
    tables = make_shop(tmp_path, members=3, days=30)
    for table in STORED.values():
        described = seen(tables.at(NOW), f"DESCRIBE {table.name}")
        assert [(row[0], row[1]) for row in described] == [(column.name, column.type) for column in table.stored]


def test_a_shop_with_orders_only_has_empty_views(tmp_path: Path) -> None:
    snapshot = store(tmp_path, {"orders": orders(JUST_BEFORE)}).at(NOW)
    assert seen(snapshot, "SELECT count(*) FROM launches") == [(0,)]
    assert seen(snapshot, "SELECT count(*) FROM members") == [(0,)]


def test_an_as_of_of_another_zone_is_refused(edge: Tables) -> None:
    with pytest.raises(ConfigError, match="Asia/Shanghai"):
        edge.at(AsOf(NOW.day))


def test_a_snapshot_tells_where_it_comes_from(edge: Tables) -> None:
    snapshot = edge.at(NOW)
    assert (snapshot.as_of, snapshot.digest) == (NOW, edge.digest)
    assert isinstance(snapshot, Snapshot)
