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
            *(pa.field(spec.name, TEXT if _is_text(spec) else NUMBER) for spec in features_of(view)),
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

    numbers, texts: by feature, what each told row says, and last what rows have that are not told; NaN = unknown.
    rows: (n,) for each row of the view the number of its told row; -1 = none.
    """

    numbers: "dict[str, np.ndarray]"
    texts: "dict[str, pa.Array[Any]]"
    rows: "np.ndarray"

    @classmethod
    def read(
        cls,
        connection: duckdb.DuckDBPyConnection,
        codes: str,
        source: str,
        specs: tuple[FeatureSpec, ...],
        as_of: AsOf,
        size: int,
    ) -> Self:
        """Compute a source's features for the rows of the relation `placed`, whose key columns are the codes."""
        values = ",\n".join(f"{spec.sql} AS {spec.name}" for spec in specs)
        group = f"GROUP BY {codes}" if any(aggregates(spec.sql) for spec in specs) else ""
        told = f"SELECT {codes},\n{values}\nFROM {source} {group}".format(as_of=as_of.number)
        names = ", ".join(_typed(spec) for spec in specs)
        sql = f"SELECT place, {names} FROM ({told}) AS told JOIN placed USING ({codes})"
        table = connection.sql(sql).to_arrow_table(max(size, 1))
        rows = np.full(size, -1, dtype=np.int32)
        rows[table.column("place").to_numpy()] = np.arange(len(table), dtype=np.int32)
        numbers = {
            spec.name: _numbers(spec, table.column(spec.name).to_numpy()) for spec in specs if not _is_text(spec)
        }
        texts = {
            spec.name: pa.concat_arrays([*table.column(spec.name).chunks, pa.nulls(1, TEXT)])
            for spec in specs
            if _is_text(spec)
        }
        return cls(numbers, texts, rows)

    def columns(self, start: int, end: int) -> "dict[str, pa.Array[Any]]":
        """Tell the features of the view's rows in [start, end)."""
        rows = self.rows[start:end]
        numbers = {name: pa.array(values[rows], from_pandas=True) for name, values in self.numbers.items()}
        return numbers | {name: values.take(pa.array(rows % len(values))) for name, values in self.texts.items()}


def _numbers(spec: FeatureSpec, told: "np.ndarray") -> "np.ndarray":
    values = np.append(told, np.nan)
    return np.nan_to_num(values, copy=False, nan=0.0) if spec.null_meaning == NEVER else values


def _is_text(spec: FeatureSpec) -> bool:
    return spec.kind == "category"


def _typed(spec: FeatureSpec) -> str:
    return f"CAST({spec.name} AS {'VARCHAR' if _is_text(spec) else 'DOUBLE'}) AS {spec.name}"
