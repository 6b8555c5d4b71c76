"""The DuckDB connections of this layer, and the few SQL phrases that all of it shares."""

from pathlib import Path

import duckdb

from recsys.core.time import AsOf
from recsys.data.schema import UNKNOWN_CATEGORY, Table


def connect(database: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a connection whose sessions speak UTC: in memory, or over a file of its own."""
    connection = duckdb.connect(str(database) if database else ":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def quoted(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def named(identifier: str) -> str:
    """Write a name as an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def local(time: str, zone: str) -> str:
    """Return SQL of the mall's wall-clock TIMESTAMP of a UTC TIMESTAMP expression."""
    return f"timezone({quoted(zone)}, timezone('UTC', {time}))"


def day_number(time: str, zone: str) -> str:
    """Return SQL of the mall day, in days since 1970-01-01, of a UTC TIMESTAMP expression."""
    return f"CAST(CAST({local(time, zone)} AS DATE) - DATE '1970-01-01' AS INTEGER)"


def subcategory_of(product: str) -> str:
    """Return SQL of the subcategory that a product (an alias of the products table, or a left join of it) counts under.

    The finer kind named together with its category, "category > subcategory", as retailers give the same name to kinds
    of several categories; the category alone where the kind is unknown, `UNKNOWN_CATEGORY` where both are.
    """
    category = f"coalesce({product}.category, {quoted(UNKNOWN_CATEGORY)})"
    return f"{category} || coalesce(' > ' || {product}.subcategory, '')"


def instant(as_of: AsOf) -> str:
    """Return an SQL TIMESTAMP literal, in UTC, of the first instant of a mall day."""
    return f"TIMESTAMP {quoted(as_of.instant.replace(tzinfo=None).isoformat(sep=' '))}"


def derived_columns(table: Table, zone: str) -> dict[str, str]:
    """Return SQL of each derived column of a table over its other columns."""
    if table.time is None:
        return {}
    sql = {
        "day": day_number(table.time, zone),
        "hour": f"CAST(hour({local(table.time, zone)}) AS INTEGER)",
        "weekday": f"CAST(isodow({local(table.time, zone)}) - 1 AS INTEGER)",
    }
    return {column.name: sql[column.name] for column in table.derived}


def stored(table: Table, file: Path | None) -> str:
    """Return SQL of a stored table; without a file it has the right columns and no rows."""
    if file is not None:
        return f"read_parquet({quoted(str(file))})"
    columns = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in table.stored)
    return f"(SELECT {columns} WHERE false)"
