import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from recsys.core.config import Home
from recsys.core.errors import ArtifactError, MissingError, TableError
from recsys.core.folders import MANIFEST, read_manifest
from recsys.data.engine import connect
from recsys.data.schema import SCHEMA, STORED
from recsys.data.tables import Tables
from recsys.data.writer import write_generation
from tests.shop import at, make_shop, store


def one_order(**values: object) -> dict[str, pd.DataFrame]:
    row = {"order_id": "1", "member_id": "m", "product_id": "p", "ordered_at": at(0), "quantity": 1.0, "amount": 2.0}
    return {"orders": pd.DataFrame([{**row, **values}])}


def test_nothing_ingested_yet_says_which_step_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        Tables.open(tmp_path)
    assert caught.value.fields == {"what": "tables", "step": "recsys ingest"}


def test_the_span_is_in_mall_days(tmp_path: Path) -> None:
    late = one_order(ordered_at=at(3, 23.9))["orders"]
    tables = store(tmp_path, {"orders": pd.concat([one_order(ordered_at=at(0, 0))["orders"], late])})
    assert (tables.first.day, tables.end.day) == (date(2024, 1, 1), date(2024, 1, 5))
    assert tables.first.zone == tables.end.zone == tables.zone == "Asia/Shanghai"


def test_absent_tables_are_empty_with_the_right_columns(tmp_path: Path) -> None:
    tables = store(tmp_path, one_order())
    assert tables.path("members") is None
    with tables.connect() as connection:
        for table in STORED.values():
            found = connection.execute(f"DESCRIBE {table.name}").fetchall()
            assert [(row[0], row[1]) for row in found] == [(column.name, column.type) for column in table.stored]
        assert connection.execute("SELECT count(*) FROM members").fetchall() == [(0,)]


def test_stored_files_are_sealed_and_typed_as_declared(tmp_path: Path) -> None:
    tables = make_shop(tmp_path, members=5, days=40)
    assert set(read_manifest(tables.folder)["files"]) == {f"{name}.parquet" for name in STORED}
    with tables.connect() as connection:
        for table in STORED.values():
            found = connection.execute(f"DESCRIBE {table.name}").fetchall()
            assert [(row[0], row[1]) for row in found] == [(column.name, column.type) for column in table.stored]


def test_a_table_that_is_not_of_the_schema_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        store(tmp_path, one_order()).path("baskets")


def test_tables_of_another_format_are_refused(tmp_path: Path) -> None:
    folder = store(tmp_path, one_order()).folder
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 0}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="ingest again"):
        Tables.open(Home(tmp_path).tables)


def test_the_same_shop_has_the_same_digest_and_another_one_not(tmp_path: Path) -> None:
    shops = [make_shop(tmp_path / str(number), members=5, days=40, seed=seed) for number, seed in enumerate([0, 0, 1])]
    assert shops[0].digest == shops[1].digest != shops[2].digest
    elsewhere = store(tmp_path / "utc", one_order(), zone="UTC")
    assert elsewhere.digest != store(tmp_path / "shanghai", one_order()).digest


def test_maps_with_the_same_content_are_the_same(tmp_path: Path) -> None:
    digests = set()
    for number, entries in enumerate(("MAP {'a': '1', 'b': '2'}", "MAP {'b': '2', 'a': '1'}")):
        with connect() as connection:
            orders = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in SCHEMA["orders"].columns)
            connection.execute(
                f"CREATE TABLE orders AS SELECT * REPLACE (TIMESTAMP '2024-01-01' AS ordered_at) FROM (SELECT {orders})"
            )
            members = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in SCHEMA["members"].columns)
            connection.execute(
                f"CREATE TABLE members AS SELECT * REPLACE ({entries} AS attributes) FROM (SELECT {members})"
            )
            write_generation(tmp_path / str(number), connection, "UTC")
        digests.add(Tables.open(tmp_path / str(number)).digest)
    assert len(digests) == 1


def test_no_orders_is_no_generation(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there are no rows"):
        store(tmp_path, {"orders": one_order()["orders"].iloc[:0]})
    with connect() as connection, pytest.raises(TableError):
        write_generation(tmp_path, connection, "UTC")


def test_quotes_in_paths_and_ids_do_no_harm(tmp_path: Path) -> None:
    tables = store(tmp_path / "l'été", one_order(member_id="O'Neil"))
    with tables.connect() as connection:
        assert connection.execute("SELECT member_id FROM orders").fetchall() == [("O'Neil",)]
