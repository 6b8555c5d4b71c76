import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from recsys.core.errors import ConfigError, TableError
from recsys.data.mapping import SqlSource, TableMapping


def read_database(
    connection: duckdb.DuckDBPyConnection,
    source: SqlSource,
    table: str,
    mapping: TableMapping,
    progress: Callable[[str, int, int], None],
) -> bool:
    """Create raw_<table> from a database table or query, by chunks, every value as text; false when there is none."""
    name = mapping.source or table
    try:
        engine = sa.create_engine(source.address())
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise ConfigError("source.url", str(error).splitlines()[0]) from error
    try:
        with engine.connect().execution_options(stream_results=True, yield_per=source.chunk) as database:
            if mapping.query is None and not _has(database, name):
                return False
            query = sa.text(mapping.query or f"SELECT * FROM {_quoted(engine, name)}")
            result = database.execute(query)
            columns = list(result.keys())
            typed = ", ".join(f'"{column.replace(chr(34), chr(34) * 2)}" VARCHAR' for column in columns)
            connection.execute(f"CREATE TABLE raw_{table} (_source VARCHAR, _row BIGINT, {typed})")
            for done, chunk in _chunks(result, columns, name if mapping.query is None else "query"):
                connection.register("chunk", chunk)
                connection.execute(f"INSERT INTO raw_{table} FROM chunk")
                connection.unregister("chunk")
                progress(f"read {table}", done, 0)
    except (SQLAlchemyError, duckdb.Error) as error:
        raise TableError(table, f"the database says: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()
    return True


def _has(database: sa.Connection, name: str) -> bool:
    schema, _, table = name.rpartition(".")
    return sa.inspect(database).has_table(table, schema=schema or None)


def _quoted(engine: sa.Engine, name: str) -> str:
    return ".".join(engine.dialect.identifier_preparer.quote(part) for part in name.split("."))


def _chunks(result: sa.CursorResult[Any], columns: Sequence[str], name: str) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows read so far and a chunk of them."""
    done = 0
    for rows in result.partitions():
        texts: list[pa.Array[Any]] = [
            pa.array([as_text(row[at]) for row in rows], pa.string()) for at in range(len(columns))
        ]
        places: list[pa.Array[Any]] = [
            pa.array([name] * len(rows), pa.string()),
            pa.array(range(done + 1, done + len(rows) + 1), pa.int64()),
        ]
        done += len(rows)
        yield done, pa.Table.from_arrays([*places, *texts], names=["_source", "_row", *columns])


def as_text(value: Any) -> str | None:
    """Write a database value as the text to cast back from: bytes are UTF-8, lists and maps become JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
