import duckdb

from recsys.data.engine import quoted
from recsys.data.schema import SCHEMA, Table
from recsys.data.tables import Tables


def merge(connection: duckdb.DuckDBPyConnection, old: Tables | None) -> None:
    """Create each table from what was stored and the good_<table> that just came.

    What came replaces the stored rows of its groups whole: an order's lines together, so that the same data twice are
    the data once; a table that did not come stays as it was. A row that is older than the stored one is dropped.
    """
    came = {row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    for table in SCHEMA.values():
        file = old.path(table.name) if old is not None else None
        stored = f"read_parquet({quoted(str(file))})" if file is not None else None
        new = f"good_{table.name}" if f"good_{table.name}" in came else None
        columns = ", ".join(column.name for column in table.columns)
        if new is not None and stored is not None:
            relation = _joined(table, columns, new, stored)
        elif new is not None or stored is not None:
            relation = f"SELECT {columns} FROM {new or stored}"
        else:
            continue
        connection.execute(f"CREATE VIEW {table.name} AS {relation}")


def _joined(table: Table, columns: str, new: str, stored: str) -> str:
    same = " AND ".join(f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in table.group)
    stale = f"{same} AND old.{table.version} > new.{table.version}" if table.version else "false"
    fresh = f"SELECT {columns} FROM {new} new WHERE NOT EXISTS (SELECT 1 FROM {stored} old WHERE {stale})"
    if table.version is None:
        fresh = f"SELECT {columns} FROM {new}"
    kept = f"SELECT {columns} FROM {stored} old WHERE NOT EXISTS (SELECT 1 FROM ({fresh}) new WHERE {same})"
    return f"{fresh} UNION ALL {kept}"
