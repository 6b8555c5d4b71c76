"""Write a generation of tables: one sealed folder named after its content, made current in one step."""

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from recsys.core.errors import TableError
from recsys.core.folders import current, point, read_manifest, text_digest, write_folder
from recsys.data.engine import derived_columns, quoted
from recsys.data.schema import ORDERS, STORED, TEXT_MAP, Column, Table

FORMAT = 1
PARQUET = "FORMAT parquet, COMPRESSION zstd"


def write_generation(root: Path, connection: duckdb.DuckDBPyConnection, zone: str, origin: str = "") -> bool:
    """Store the connection's tables below root and make them current; false when the current ones say the same.

    The generation that was current stays beside the new one; older ones are removed.
    connection: has a table or view for each table that exists, named as in the schema, with its columns that are not
        derived, of the declared types; orders must be among them, with rows.
    zone: IANA name of the mall's time zone, in which days are cut.
    origin: a sample's name, or "" for the retailer's own data.
    """
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".tables-", dir=root) as aside:
        present = [table for table in STORED.values() if _exists(connection, table.name)]
        stored = {table.name: _store(connection, table, zone, Path(aside)) for table in present}
        if not stored.get("orders", {}).get("rows"):
            raise TableError("orders", "there are no rows")
        digest = text_digest(str(FORMAT), zone, json.dumps(stored, sort_keys=True))
        name = digest[:16]
        now = current(root)
        if now is not None and now.name == name and read_manifest(now, verify=False)["digest"] == digest:
            return False
        orders = _relation(Path(aside), ORDERS)
        first, last = connection.execute(f"SELECT min(day), max(day) FROM {orders}").fetchall()[0]

        def fill(folder: Path) -> dict[str, Any]:
            for file in sorted(Path(aside).iterdir()):
                file.rename(folder / file.name)
            about = {"format": FORMAT, "zone": zone, "origin": origin, "digest": digest}
            return {**about, "first": first, "end": last + 1, "tables": stored}

        write_folder(root / name, fill)
    point(root, name)
    _forget(root, keep=(name, now.name if now is not None else name))
    return True


def _forget(root: Path, keep: Collection[str]) -> None:
    """Remove older generations: whoever reads the one before still can; what a run has aside is not one."""
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in keep and not folder.name.startswith("."):
            shutil.rmtree(folder)


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?", [name]
    ).fetchall()
    return bool(found[0][0])


def _relation(folder: Path, table: Table) -> str:
    return f"read_parquet({quoted(str(folder / f'{table.name}.parquet'))})"


def _store(connection: duckdb.DuckDBPyConnection, table: Table, zone: str, folder: Path) -> dict[str, Any]:
    """Write a table's file, a member's rows together in the order of time, and return its rows and content digest.

    The digest does not depend on the order of rows: it adds up and mixes their hashes.
    """
    own = ", ".join(_plain(column) for column in table.columns)
    extra = "".join(f", {sql} AS {name}" for name, sql in derived_columns(table, zone).items())
    named = [column.name for column in table.columns]
    order = [name for name in ("member_id", table.time, *table.group, "product_id") if name in named]
    connection.execute(
        f"COPY (SELECT {own}{extra} FROM {table.name} ORDER BY {', '.join(dict.fromkeys(order))}) "
        f"TO {quoted(str(folder / f'{table.name}.parquet'))} ({PARQUET})"
    )
    rows, total, mixed = connection.execute(
        "SELECT count(*), CAST(sum(CAST(hash(row) AS HUGEINT)) AS VARCHAR), CAST(bit_xor(hash(row)) AS VARCHAR) "
        f"FROM {_relation(folder, table)} row"
    ).fetchall()[0]
    return {"rows": rows, "content": f"{total}-{mixed}"}


def _plain(column: Column) -> str:
    """Return SQL of a column in the one form in which equal contents are equal: maps have their names in order."""
    if column.type != TEXT_MAP:
        return column.name
    return f"map_from_entries(list_sort(map_entries({column.name}))) AS {column.name}"
