"""Files of a retailer's own layout through the whole door."""

import gzip
import json
from pathlib import Path

import pytest

from recsys.core.config import Home
from recsys.core.errors import ConfigError, TableError
from recsys.data.ingest import check
from recsys.data.mapping import IngestConfig
from recsys.data.tables import Tables
from tests.ingesting import PLAIN, Load, loader, quarantined, quiet, rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def load(tmp_path: Path, home: Home) -> Load:
    return loader(tmp_path / "shop", home)


def test_plain_orders_need_no_mapping_and_no_other_table(load: Load, home: Home) -> None:
    report = load({"orders.csv": PLAIN + "单1,王,茶,2024-03-01 10:00:00,1,5\n"})
    assert [(table.table, table.read, table.kept) for table in report.tables] == [("orders", 1, 1)]
    assert rows(home, "SELECT order_id, member_id, product_id, discount, is_return, hour, weekday FROM orders") == [
        ("单1", "王", "茶", 0.0, False, 10, 4)
    ]
    assert rows(home, "SELECT count(*) FROM members") == [(0,)]
    assert Tables.open(home.tables).path("members") is None
    assert not home.quarantine.exists()


def test_an_invoice_layout_without_product_ids(load: Load, home: Home) -> None:
    invoices = (
        "Invoice;Description;Qty;When;Unit;Customer;Note\n"
        "A1; White MUG ;2;03/03/2024 23:30;2.5;c1;\n"
        "A1;white mug;-1;04/03/2024 00:10;2.5;c1;back\n"
        "A2;Bowl;1;04/03/2024 09:00;4;;\n"
    )
    toml = """
timezone = "Asia/Shanghai"
[tables.orders]
from = "invoices"
zone = "mall"
where = "Customer IS NOT NULL"
casts = { Qty = "DOUBLE", Unit = "DOUBLE" }
negative_is_return = true
[tables.orders.columns]
order_id = "Invoice"
member_id = "Customer"
product_id = { sql = "lower(trim(Description))" }
ordered_at = { from = "When", format = "%d/%m/%Y %H:%M" }
quantity = "Qty"
amount = { sql = "Qty * Unit" }
[tables.products]
query = "SELECT DISTINCT lower(trim(Description)) AS product_id, trim(Description) AS name FROM invoices ORDER BY name"
one_per_key = true
"""
    report = load({"invoices.csv": invoices}, toml)
    columns = "product_id, CAST(ordered_at AS VARCHAR), hour, quantity, amount, is_return"
    assert rows(home, f"SELECT {columns} FROM orders ORDER BY ordered_at") == [
        ("white mug", "2024-03-03 15:30:00", 23, 2.0, 5.0, False),
        ("white mug", "2024-03-03 16:10:00", 0, 1.0, 2.5, True),
    ]
    assert rows(home, "SELECT max(day) - min(day) FROM orders") == [(1,)]
    products = next(table for table in report.tables if table.table == "products")
    assert (products.kept, products.skipped, products.bad) == (2, 1, 0)
    assert rows(home, "SELECT product_id, name FROM products ORDER BY 1") == [
        ("bowl", "Bowl"),
        ("white mug", "white mug"),
    ]


def test_bad_rows_are_kept_with_rule_and_place(load: Load, home: Home) -> None:
    lines = [
        "1,m,p,2024-03-01,1,5",
        "2,m,p,yesterday,1,5",
        "3,,p,2024-03-01,1,5",
        "4,m,p,2024-03-01,0,5",
        "5,m,p,2024-03-01,1,-5",
        "6,m,p,2024-03-01,many,5",
        "7,m,p,2024-03-01,inf,5",
        "8,m,p,2024-03-01,nan,5",
        "9,m,p,2999-03-01,1,5",
        "10,m,p",
        "11,m,p,0001-03-01,-1,-5",
    ]
    report = load(
        {"orders.csv": PLAIN + "\n".join(lines) + "\n"}, 'timezone = "UTC"\nmax_bad_share = 1\nlatest = 2030-01-01'
    )
    bad = quarantined(home)
    assert dict(
        zip(bad["source_row"].map(lambda text: json.loads(text).get("order_id")), bad["rule"], strict=True)
    ) == {
        "2": "ordered_at is no time",
        "3": "member_id must be known",
        "4": "quantity must be above 0",
        "5": "amount must be at least 0",
        "6": "quantity is no number",
        "7": "quantity is no number",
        "8": "quantity must be known",
        "9": "ordered_at must lie between 1970-01-01 and 2030-01-01",
        None: "line cannot be read: missing columns",
        "11": "ordered_at must lie between 1970-01-01 and 2030-01-01",
    }
    assert set(bad["source"]) == {"orders.csv"}
    assert bad.loc[bad["rule"] == "ordered_at is no time", "row"].tolist() == [2]
    assert json.loads(bad["source_row"].iloc[0])["ordered_at"] == "yesterday"
    table = report.tables[0]
    assert (table.read, table.kept, table.bad) == (11, 1, 10)
    assert table.rejected["quantity is no number"] == 2


def test_too_many_bad_rows_stop_the_run_but_are_kept(load: Load, home: Home) -> None:
    good = PLAIN + "1,m,p,2024-03-01,1,5\n"
    load({"orders.csv": good})
    before = Tables.open(home.tables).digest
    with pytest.raises(TableError) as caught:
        load({"orders.csv": good + "2,m,p,2024-03-01,0,5\n3,m,p,2024-03-01,0,5\n4,m,,2024-03-01,0,5\n"})
    rules = "quantity must be above 0 (2); product_id must be known (1)"
    assert caught.value.fields == {"table": "orders", "rule": rules, "bad_rows": 3}
    assert len(quarantined(home)) == 3
    assert Tables.open(home.tables).digest == before


def test_a_share_of_bad_rows_is_allowed_up_to_the_limit(load: Load) -> None:
    lines = PLAIN + "1,m,p,2024-03-01,1,5\n" * 3 + "2,m,p,2024-03-01,0,5\n"
    assert load({"orders.csv": lines}, 'timezone = "UTC"\nmax_bad_share = 0.25').tables[0].kept == 3
    with pytest.raises(TableError):
        load({"orders.csv": lines}, 'timezone = "UTC"\nmax_bad_share = 0.24')


def test_quarantine_of_an_earlier_run_goes_when_all_is_well(load: Load, home: Home) -> None:
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n2,m,p,2024-03-01,0,5\n"}, 'timezone = "UTC"\nmax_bad_share = 1')
    assert len(quarantined(home)) == 1
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n"})
    assert not (home.quarantine / "orders.parquet").exists()


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({"orders.csv": "order_id,member_id,product_id,quantity,amount\n1,m,p,1,5\n"}, "column ordered_at is missing"),
        ({"orders.csv": ""}, "orders.csv is empty: it has not even a header"),
        ({"orders.csv": PLAIN}, "there are no rows"),
        ({}, "the source has no orders, the one table that is required"),
        ({"members.csv": "member_id\nm\n"}, "the source has no orders, the one table that is required"),
        ({"orders.csv": "order_id,order_id\n"}, "orders.csv has two columns order_id"),
        ({"orders.csv": b"order_id\n\xd6\xd0\xff\n"}, "orders.csv is not in utf-8: set source.encoding"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_name(load: Load, files: dict[str, str | bytes], rule: str) -> None:
    with pytest.raises(TableError) as caught:
        load(files)
    assert caught.value.fields == {"table": "orders", "rule": rule, "bad_rows": 0}


def test_a_broken_parquet_file_is_refused_by_name(load: Load) -> None:
    with pytest.raises(TableError, match="orders"):
        load({"orders.parquet": b"PAR1 but not really"})


def test_a_mapped_table_must_be_there(load: Load) -> None:
    toml = 'timezone = "UTC"\n[tables.orders]\nfrom = "sales_*.csv"\n'
    with pytest.raises(TableError, match=r"the source has no sales_\*.csv"):
        load({"orders.csv": PLAIN}, toml)
    with pytest.raises(TableError, match="column order_id is missing: the source has no column bon"):
        load({"orders.csv": PLAIN}, 'timezone = "UTC"\n[tables.orders.columns]\norder_id = "bon"\n')


@pytest.mark.parametrize(
    ("toml", "setting"),
    [
        ('[tables.orders.columns]\namount = { sql = "quantity *" }', "tables.orders.columns.amount"),
        ('[tables.orders]\nwhere = "nothing > 1"', "tables.orders"),
        ('[tables.members]\nfrom = "orders"\nattributes = ["nothing"]', "tables.members.attributes"),
        ('[tables.orders]\nwhere = "CAST(product_id AS INT) > 0"', "tables.orders.where"),
        (
            '[tables.orders.columns]\nordered_at = { from = "ordered_at", format = "%Q" }',
            "tables.orders.columns.ordered_at.format",
        ),
    ],
)
def test_wrong_expressions_are_named(load: Load, toml: str, setting: str) -> None:
    orders = PLAIN + "1,m,p,2024-03-01,1,5\n"
    with pytest.raises(ConfigError) as caught:
        load({"orders.csv": orders}, f'timezone = "UTC"\n{toml}\n')
    assert caught.value.fields["setting"] == setting


def test_an_expression_that_fails_on_a_row_makes_it_unknown(load: Load, home: Home) -> None:
    toml = 'timezone = "UTC"\nmax_bad_share = 1\n[tables.orders.columns]\namount = { sql = "CAST(amount AS DOUBLE)" }\n'
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n2,m,p,2024-03-01,1,five\n"}, toml)
    assert quarantined(home)["rule"].tolist() == ["amount must be known"]


def test_a_failed_cast_of_a_source_column_makes_a_bad_row(load: Load, home: Home) -> None:
    toml = 'timezone = "UTC"\nmax_bad_share = 1\n[tables.orders]\ncasts = { amount = "DOUBLE" }\n'
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n2,m,p,2024-03-01,1,five\n"}, toml)
    assert quarantined(home)["rule"].tolist() == ["amount is no DOUBLE"]


def test_many_files_one_table(load: Load, home: Home) -> None:
    day = "{0},m,p,2024-03-0{0},1,5\n"
    packed = gzip.compress((PLAIN + day.format(2)).encode())
    extra = PLAIN.replace("\n", ",channel\n") + "3,m,p,2024-03-03,1,5,app\n"
    toml = 'timezone = "UTC"\n[tables.orders]\nfrom = "sales_*"\n'
    load(
        {"sales_1.csv": PLAIN + day.format(1), "sales_2.csv.gz": packed, "sales_3.csv": extra, "other.csv": "a\n"}, toml
    )
    assert rows(home, "SELECT order_id, channel FROM orders ORDER BY 1") == [("1", None), ("2", None), ("3", "app")]


def test_repeated_keys_the_newest_version_then_the_last_row_stays(load: Load, home: Home) -> None:
    members = "member_id,tier,updated_at\nm,new,2024-02-01\nm,old,2024-01-01\nn,first,\nn,last,\n"
    report = load(
        {"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n", "members.csv": members},
        'timezone = "UTC"\nmax_bad_share = 0.5',
    )
    assert rows(home, "SELECT member_id, tier FROM members ORDER BY 1") == [("m", "new"), ("n", "last")]
    assert report.tables[1].rejected == {"member_id must not repeat; the last row stays": 2}
    assert quarantined(home, "members")["row"].tolist() == [2, 3]


def test_an_event_needs_a_known_type_and_somebody(load: Load, home: Home) -> None:
    events = (
        "event_id,member_id,anonymous_id,type,occurred_at\n"
        "1,m,,view,2024-03-01\n2,,d,view,2024-03-01\n3,,,view,2024-03-01\n4,m,,dance,2024-03-01\n5,,,dance,2024-03-01\n"
    )
    toml = 'timezone = "UTC"\nmax_bad_share = 1'
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n", "events.csv": events}, toml)
    kinds = "type must be one of view, search, favourite, cart, check_in, share"
    assert quarantined(home, "events")["rule"].tolist() == ["member_id or anonymous_id must be known", kinds, kinds]


def test_an_optional_table_may_be_empty(load: Load, home: Home) -> None:
    load({"orders.csv": PLAIN + "1,m,p,2024-03-01,1,5\n", "members.csv": "member_id,tier\n"})
    assert rows(home, "SELECT count(*) FROM members") == [(0,)]


def test_checking_writes_nothing_and_tells_what_would_fail(load: Load, home: Home, tmp_path: Path) -> None:
    with pytest.raises(TableError):
        load({"orders.csv": PLAIN + "1,m,p,2024-03-01,0,5\n"})
    before = sorted(tmp_path.rglob("*"))
    report = check(IngestConfig.load(tmp_path / "shop" / "recsys.toml"), quiet)
    assert sorted(tmp_path.rglob("*")) == before
    assert [failure.fields["rule"] for failure in report.failures] == ["quantity must be above 0"]
    assert report.tables[0].rejected == {"quantity must be above 0": 1}
    assert report.unchanged


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("orders.csv.gz", gzip.compress((PLAIN + "1,m,p,2024-03-01,1,5\n").encode())[:20], "cannot be read"),
        ("orders.csv.gz", PLAIN.encode(), "cannot be read"),
        ("orders.csv.gz", gzip.compress(PLAIN.encode())[:10] + b"\xff" * 20, "cannot be read"),
        ("orders.csv", ("a" * 200_000 + "\n").encode(), "has no readable header"),
        ("orders.csv", PLAIN.replace("\n", ",_Uncast\n").encode() + b"1,m,p,2024-03-01,1,5,\n", "_Uncast"),
    ],
)
def test_a_harmed_file_is_refused_by_name(load: Load, name: str, content: bytes, rule: str) -> None:
    with pytest.raises(TableError, match=rule) as caught:
        load({name: content})
    assert caught.value.fields["table"] == "orders"


@pytest.mark.parametrize("kept", [0.5, 0.9])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_packed_file_that_was_cut_off_is_refused(load: Load, kept: float, encoding: str) -> None:
    lines = "".join(f"{number},m{number * 7919 % 1000},p,2024-03-01,1,5\n" for number in range(20_000))
    packed = gzip.compress((PLAIN + lines).encode())
    toml = f'timezone = "UTC"\n[source]\nencoding = "{encoding}"\n'
    with pytest.raises(TableError, match="orders"):
        load({"orders.csv.gz": packed[: int(len(packed) * kept)]}, toml)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz", "orders.parquet"])
def test_a_folder_named_like_a_file_is_refused(load: Load, tmp_path: Path, name: str) -> None:
    (tmp_path / "shop" / name).mkdir(parents=True)
    with pytest.raises(TableError, match=name):
        load({})


def test_latest_without_an_offset_is_the_mall_s_clock(load: Load) -> None:
    toml = 'timezone = "Asia/Shanghai"\nmax_bad_share = 1\nlatest = 2024-03-01T08:00:00\n'
    lines = PLAIN + "1,m,p,2024-03-01T00:00:00Z,1,5\n2,m,p,2024-03-01T00:00:01Z,1,5\n"
    assert load({"orders.csv": lines}, toml).tables[0].kept == 1
