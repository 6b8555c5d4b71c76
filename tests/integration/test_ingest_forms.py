"""Encodings, types, days and clocks of a retailer's own files through the whole door."""

import gzip
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from recsys.core.config import Home
from recsys.core.errors import TableError
from tests.ingesting import PLAIN, Load, loader, quarantined, rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def load(tmp_path: Path, home: Home) -> Load:
    return loader(tmp_path / "shop", home)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
def test_another_encoding(load: Load, home: Home, name: str) -> None:
    content = (PLAIN + '1,"李,雷",p,2024-03-01,1,5\n').encode("gb18030")
    toml = 'timezone = "UTC"\n[source]\nencoding = "gb18030"\n'
    load({name: gzip.compress(content) if name.endswith(".gz") else content}, toml)
    assert rows(home, "SELECT member_id FROM orders") == [("李,雷",)]


def test_an_unknown_encoding_is_refused(load: Load) -> None:
    with pytest.raises(TableError, match="klingon is unknown"):
        load({"orders.csv": PLAIN}, 'timezone = "UTC"\n[source]\nencoding = "klingon"\n')


def test_a_header_with_a_mark_and_a_nameless_column(load: Load, home: Home) -> None:
    content = "\ufeff" + PLAIN.replace("order_id,", "order_id,,") + '1,0,m,p,2024-03-01T10:00:00Z,1,"5"\r\n'
    load({"orders.csv": content.replace("\r\n", "\n").replace("\n", "\r\n")})
    assert rows(home, "SELECT order_id, hour FROM orders") == [("1", 10)]


def test_typed_parquet_with_maps_zones_and_days(load: Load, home: Home, tmp_path: Path) -> None:
    orders = pd.DataFrame(
        {
            "order_id": [1],
            "member_id": [10],
            "product_id": ["p"],
            "ordered_at": pd.to_datetime(["2024-03-01 08:00"]).tz_localize("Asia/Shanghai"),
            "quantity": [1],
            "amount": [2.5],
            "is_return": [None],
        }
    )
    with duckdb.connect() as connection:
        members = tmp_path / "shop" / "members.parquet"
        members.parent.mkdir()
        connection.execute(
            "COPY (SELECT 10 AS member_id, DATE '2020-05-06' AS registered_at, MAP {'b': 1, 'a': 2} AS attributes, "
            f"'1990-01-02' AS birth_date, 'nan'::DOUBLE AS points_balance) TO '{members}' (FORMAT parquet)"
        )
    load({"orders.parquet": orders.to_parquet()})
    assert rows(home, "SELECT order_id, member_id, CAST(ordered_at AS VARCHAR), quantity, is_return FROM orders") == [
        ("1", "10", "2024-03-01 00:00:00", 1.0, False)
    ]
    assert rows(
        home, "SELECT CAST(registered_at AS VARCHAR), attributes, birth_date::VARCHAR, points_balance FROM members"
    ) == [("2020-05-06 00:00:00", {"a": "2", "b": "1"}, "1990-01-02", None)]


def test_text_maps_days_with_a_format_and_listed_attributes(load: Load, home: Home) -> None:
    toml = """
timezone = "UTC"
max_bad_share = 1
[tables.members]
attributes = ["pet", "job"]
[tables.members.columns]
birth_date = { from = "born", format = "%d.%m.%Y" }
"""
    load(
        {
            "orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n",
            "members.csv": "member_id,born,pet,job\nm,24.12.1990,猫,\nn,1990-12-24,,\n",
            "products.csv": 'product_id,attributes\np,"{""size"": ""L""}"\nq,large\n',
        },
        toml,
    )
    assert rows(home, "SELECT birth_date::VARCHAR, attributes FROM members") == [("1990-12-24", {"pet": "猫"})]
    assert rows(home, "SELECT attributes FROM products") == [({"size": "L"},)]
    assert quarantined(home, "members")["rule"].tolist() == ["birth_date is no day"]
    assert quarantined(home, "products")["rule"].tolist() == ["attributes is no map of texts"]


def test_clocks_that_change(load: Load, home: Home) -> None:
    times = {
        "before spring": ("2024-03-10 01:59:59", "2024-03-10 06:59:59"),
        "in the gap": ("2024-03-10 02:30:00", "2024-03-10 07:30:00"),
        "after spring": ("2024-03-10 03:00:00", "2024-03-10 07:00:00"),
        "twice in autumn": ("2024-11-03 01:30:00", "2024-11-03 06:30:00"),
        "with its own offset": ("2024-11-03 01:30:00-04:00", "2024-11-03 05:30:00"),
        "last of the day": ("2024-11-03 23:59:59.999999", "2024-11-04 04:59:59.999999"),
    }
    lines = "".join(f"{name},m,p,{local},1,5\n" for name, (local, _) in times.items())
    load({"orders.csv": PLAIN + lines}, 'timezone = "America/New_York"\n[tables.orders]\nzone = "mall"\n')
    found = dict(rows(home, "SELECT order_id, CAST(ordered_at AS VARCHAR) FROM orders"))
    assert found == {name: utc for name, (_, utc) in times.items()}
    days = dict(rows(home, "SELECT order_id, CAST(DATE '1970-01-01' + day AS VARCHAR) FROM orders"))
    assert days == {name: local[:10] for name, (local, _) in times.items()}


def test_an_offset_in_the_format(load: Load, home: Home) -> None:
    column = '{ from = "ordered_at", format = "%d.%m.%y %H:%M %z" }'
    toml = f'timezone = "UTC"\n[tables.orders.columns]\nordered_at = {column}\n'
    load({"orders.csv": PLAIN + "1,m,p,01.03.24 08:00 +0800,1,5\n"}, toml)
    assert rows(home, "SELECT CAST(ordered_at AS VARCHAR) FROM orders") == [("2024-03-01 00:00:00",)]
