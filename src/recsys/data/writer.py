"""Write a generation of tables: one sealed folder named after its content, made current in one step."""

import json
from pathlib import Path
from typing import Any

import duckdb

from recsys.core.errors import TableError
from recsys.core.folders import current, point, read_manifest, text_digest, write_folder
from recsys.data.engine import derived_columns, quoted
from recsys.data.schema import SCHEMA, TEXT_MAP, Column, Table

FORMAT = 1
PARQUET = "FORMAT parquet, COMPRESSION zstd"


def write_generation(root: Path, connection: duckdb.DuckDBPyConnection, zone: str) -> bool:
    """Store the connection's tables below root and make them current; false when the current ones say the same.

    connection: holds a relation for each table that exists, named as in the schema, with its non-derived columns of the
        declared types; orders must be among them. Relations are replaced by tables in stored form.
    zone: IANA name of the mall's time zone, in which days are cut.
    """
    present = [table for table in SCHEMA.values() if _exists(connection, table.name)]
    stored = {table.name: _store(connection, table, zone) for table in present}
    if not stored.get("orders", {}).get("rows"):
        raise TableError("orders", "there are no rows")
    digest = text_digest(str(FORMAT), zone, json.dumps(stored, sort_keys=True))
    name = digest[:16]
    now = current(root)
    if now is not None and now.name == name and read_manifest(now)["digest"] == digest:
        return False

    def fill(folder: Path) -> dict[str, Any]:
        for table in present:
            file = quoted(str(folder / f"{table.name}.parquet"))
            connection.execute(f"COPY (FROM stored_{table.name}) TO {file} ({PARQUET})")
        first, last = connection.execute("SELECT min(day), max(day) FROM stored_orders").fetchall()[0]
        return {"format": FORMAT, "zone": zone, "digest": digest, "first": first, "end": last + 1, "tables": stored}

    write_folder(root / name, fill)
    point(root, name)
    return True


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?", [name]
    ).fetchall()
    return bool(found[0][0])


def _store(connection: duckdb.DuckDBPyConnection, table: Table, zone: str) -> dict[str, Any]:
    """Make stored_<table>, sorted by all columns that can be, and return its rows and content digest."""
    derived = derived_columns(table, zone)
    own = ", ".join(_plain(column) for column in table.columns)
    extra = "".join(f", {sql} AS {name}" for name, sql in derived.items())
    order = [*(("member_id", table.time) if table.time else ()), *(column.name for column in table.columns)]
    connection.execute(
        f"CREATE OR REPLACE TABLE stored_{table.name} AS SELECT {own}{extra} FROM {table.name} "
        f"ORDER BY {', '.join(dict.fromkeys(order))}"
    )
    rows, total, mixed = connection.execute(
        f"SELECT count(*), sum(hash(t)::HUGEINT)::VARCHAR, bit_xor(hash(t))::VARCHAR FROM stored_{table.name} t"
    ).fetchall()[0]
    return {"rows": rows, "content": f"{total}-{mixed}"}


def _plain(column: Column) -> str:
    """Return SQL of a column in the one form in which equal contents are equal: maps have their names in order."""
    if column.type != TEXT_MAP:
        return column.name
    return f"map_from_entries(list_sort(map_entries({column.name}))) AS {column.name}"
