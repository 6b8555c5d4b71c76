"""Feature tables: what each source tells of a view's rows, laid side by side in the order of the keys."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.core.task import FeatureSpec, View
from recsys.core.time import AsOf
from recsys.features.catalog import features_of
from recsys.features.expression import NEVER, aggregates

CODES = {
    "member_id": "member_code",
    "category": "category_code",
    "subcategory": "subcategory_code",
    "product_id": "product_code",
}

ROWS_AT_ONCE = 100_000
"""Rows that are laid side by side, and written, at once."""

DICTIONARY_BYTES = 4096
"""Different values of a column, in bytes, beyond which it is written value by value."""

STAMPS = ("event_timestamp", "created_timestamp")
TEXT, NUMBER, INSTANT = pa.string(), pa.float64(), pa.timestamp("us", tz="UTC")
ZERO = pa.scalar(0.0, NUMBER)


def write_view(connection: duckdb.DuckDBPyConnection, view: View, as_of: AsOf, target: Path) -> int:
    """Write a feature table as parquet: one row for each of the relation `<view>_spine`, ordered by its keys.

    Both stamps are the instant of as_of, as rows depend on nothing but it and the tables. Returns the number of rows.
    """
    codes, keys = ", ".join(CODES[key] for key in view.keys), ", ".join(view.keys)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE placed AS "
        f"SELECT {codes}, {keys}, CAST(row_number() OVER (ORDER BY {keys}) - 1 AS INTEGER) AS place FROM {view}_spine"
    )
    rows = connection.sql(f"SELECT {keys} FROM placed ORDER BY place").to_arrow_table()
    by_source = groupby(sorted(features_of(view), key=lambda spec: spec.source), key=lambda spec: spec.source)
    sources = [_Source.read(connection, codes, source, tuple(specs), as_of, len(rows)) for source, specs in by_source]
    schema = pa.schema(
        [
            *(pa.field(key, TEXT, nullable=False) for key in view.keys),
            *(pa.field(spec.name, TEXT if spec.kind == "category" else NUMBER) for spec in features_of(view)),
            *(pa.field(name, INSTANT, nullable=False) for name in STAMPS),
        ]
    )
    stamp = pa.scalar(as_of.instant, INSTANT)
    with pq.ParquetWriter(target, schema, compression="snappy", dictionary_pagesize_limit=DICTIONARY_BYTES) as writer:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows.slice(start, ROWS_AT_ONCE)
            columns = {key: part.column(key) for key in view.keys}
            columns |= {name: pa.repeat(stamp, len(part)) for name in STAMPS}
            for source in sources:
                columns |= source.columns(start, start + len(part))
            writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))
    return len(rows)


@dataclass(frozen=True)
class _Source:
    """What a source tells of some of a view's rows.

    told: a column for each feature. numbers: (n,) for each row of the view the number of its row in `told`; -1 = none.
    """

    specs: tuple[FeatureSpec, ...]
    told: pa.Table
    numbers: "np.ndarray"

    @classmethod
    def read(
        cls,
        connection: duckdb.DuckDBPyConnection,
        codes: str,
        source: str,
        specs: tuple[FeatureSpec, ...],
        as_of: AsOf,
        rows: int,
    ) -> Self:
        """Compute a source's features for the rows of the relation `placed`, whose key columns are the codes."""
        values = ",\n".join(f"{spec.sql} AS {spec.name}" for spec in specs)
        group = f"GROUP BY {codes}" if any(aggregates(spec.sql) for spec in specs) else ""
        names = ", ".join(_typed(spec) for spec in specs)
        told = f"SELECT {codes},\n{values}\nFROM {source} {group}".format(as_of=as_of.number)
        sql = f"SELECT place, {names} FROM ({told}) AS told JOIN placed USING ({codes})"
        table = connection.sql(sql).to_arrow_table(max(rows, 1))
        numbers = np.full(rows, -1, dtype=np.int32)
        numbers[table.column(0).to_numpy()] = np.arange(len(table), dtype=np.int32)
        return cls(specs, table.combine_chunks(), numbers)

    def columns(self, start: int, end: int) -> "dict[str, pa.ChunkedArray[Any]]":
        """Tell the features of the view's rows in [start, end)."""
        numbers = self.numbers[start:end]
        chosen = pa.array(numbers, mask=numbers < 0)
        columns = {}
        for spec in self.specs:
            column = self.told.column(spec.name).take(chosen)
            filled = spec.kind == "number" and spec.null_meaning == NEVER
            columns[spec.name] = column.fill_null(ZERO) if filled else column
        return columns


def _typed(spec: FeatureSpec) -> str:
    return f"CAST({spec.name} AS {'VARCHAR' if spec.kind == 'category' else 'DOUBLE'}) AS {spec.name}"
