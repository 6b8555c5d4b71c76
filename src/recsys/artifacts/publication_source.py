"""Where the rows of a publication come from: frames, or queries whose rows are never all in memory."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.engine import connect, quoted
from recsys.data.memory import bound, bounded

ROWS_AT_ONCE = 1_000_000
"""Rows that are handed on at once."""

TEXT_OR_LIST = ("VARCHAR", "ENUM", "MAP", "STRUCT", '"NULL"')


@dataclass(frozen=True)
class Query:
    """Rows that are computed whenever they are read.

    connect: opens a connection that knows what `sql` names.
    sql: a SELECT; given: its named parameters; beside: tables that it names and the connection does not know.
    rows: about how many there are at most, None = unknown; long tables are read in parts where that is possible.
    """

    connect: Callable[[], duckdb.DuckDBPyConnection]
    sql: str
    given: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, pa.Table] = field(default_factory=dict)
    rows: int | None = None

    def over(self, sql: str, *, beside: "Mapping[str, pa.Table] | None" = None, **given: Any) -> "Query":
        """Return a SELECT over these rows, which it calls `rows`, and further tables and parameters."""
        whole = f"WITH rows AS ({self.sql}) {sql}"
        return replace(self, sql=whole, given={**self.given, **given}, beside={**self.beside, **(beside or {})})

    def table(self) -> pa.Table:
        """Read all rows."""
        with bounded(self.connect()) as connection:
            for name, table in self.beside.items():
                connection.register(name, table)
            found: pa.Table = connection.sql(self.sql, params=dict(self.given)).to_arrow_table()
            return found


Table = pd.DataFrame | Query


def frame_query(name: str, frame: pd.DataFrame) -> Query:
    """Look at a frame as a query. Mappings become JSON, in the order of their keys; NaN and None are null."""
    table = pa.table({str(column): _plain(frame[column]) for column in frame})
    return Query(connect, f"SELECT * FROM {name}", beside={name: table}, rows=len(frame))


def parquet_query(path: Path) -> Query:
    """Look at a parquet file as a query."""
    rows = pq.read_metadata(path).num_rows
    return Query(connect, f"SELECT * FROM read_parquet({quoted(str(path))}, hive_partitioning = false)", rows=rows)


class Sources:
    """The tables of a content by name, with the connections that read them; to be closed.

    spill: a folder for what DuckDB sorts and has no memory for.
    """

    def __init__(self, tables: Mapping[str, Table], spill: Path) -> None:
        self._spill = spill
        self._opened: list[tuple[Callable[[], duckdb.DuckDBPyConnection], duckdb.DuckDBPyConnection]] = []
        self._queries = {
            name: table if isinstance(table, Query) else frame_query(f"frame_{name}", table)
            for name, table in tables.items()
        }

    def close(self) -> None:
        """Close all connections."""
        for _, connection in self._opened:
            connection.close()

    def columns(self, name: str) -> dict[str, str]:
        """Return the names and DuckDB types of a table's columns."""
        query = self._queries[name]
        relation = self._connection(query).sql(query.sql, params=dict(query.given))
        return dict(zip(relation.columns, map(str, relation.types), strict=True))

    def rows(self, name: str) -> int:
        """Return about how many rows a table has at most, 0 = unknown."""
        return self._queries[name].rows or 0

    def read(
        self, name: str, sql: str, *, beside: Mapping[str, pa.Table], given: Mapping[str, Any]
    ) -> Iterator[pa.RecordBatch]:
        """Yield what a SELECT over the relation `rows`, a table's, and over the tables beside gives.

        given: named parameters. One reading of a table must end before the next begins.
        """
        query = self._queries[name]
        connection = self._connection(query)
        whole = f"WITH rows AS ({query.sql}) {sql}"
        wanted = {key: value for key, value in {**query.given, **given}.items() if f"${key}" in whole}
        for kind, table in beside.items():
            if kind in sql:
                connection.register(kind, table)
        yield from connection.sql(whole, params=wanted).to_arrow_reader(ROWS_AT_ONCE)

    def _connection(self, query: Query) -> duckdb.DuckDBPyConnection:
        """Return the connection of a query, the same for all queries that open it alike, with the tables beside it."""
        found = next((connection for known, connection in self._opened if known == query.connect), None)
        if found is None:
            found = bound(query.connect(), self._spill)
            self._opened.append((query.connect, found))
        for name, table in query.beside.items():
            found.register(name, table)
        return found


def is_number(kind: str) -> bool:
    """Tell whether a DuckDB type is one of numbers."""
    return not kind.startswith(TEXT_OR_LIST) and not kind.endswith("[]")


def _plain(column: "pd.Series[Any]") -> Any:
    known = column.dropna()
    if column.dtype == object and len(known) and isinstance(known.iloc[0], dict):
        texts = [json.dumps(one, ensure_ascii=False, sort_keys=True) if one else None for one in column]
        return pa.array(texts, pa.string())
    return pa.array(column, from_pandas=True)
