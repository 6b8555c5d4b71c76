"""Feature tables: what each source tells of a view's rows, laid side by side in the order of the keys."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.core.task import FeatureSpec, View
from recsys.features.catalog import features_of
from recsys.features.expression import NEVER, aggregates
from recsys.features.stage import Stage

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


def view_schema(view: View, wanted: Container[str] | None = None) -> "pa.Schema":
    """Columns of a feature table: keys, features in catalogue order (of all, or of those wanted), and both stamps."""
    return pa.schema(
        [
            *(pa.field(key, TEXT, nullable=False) for key in view.keys),
            *(pa.field(spec.name, TEXT if _is_text(spec) else NUMBER) for spec in features_of(view, wanted)),
            *(pa.field(name, INSTANT, nullable=False) for name in STAMPS),
        ]
    )


def told_sql(source: str, specs: Sequence[FeatureSpec], codes: Sequence[str]) -> str:
    """Return SQL of the features that a source tells, by codes of keys; `{as_of}` is the day number of as_of."""
    keys, values = ", ".join(codes), ",\n".join(f"{spec.sql} AS {spec.name}" for spec in specs)
    group = f"GROUP BY {keys}" if any(aggregates(spec.sql) for spec in specs) else ""
    return f"SELECT {keys},\n{values}\nFROM {source} {group}"


def view_tables(stage: Stage, view: View, wanted: Container[str] | None = None) -> "Iterator[pa.Table]":
    """Put a feature table together: one row for each of the relation `<view>_spine`, ordered by its keys.

    wanted: names of features, among them perhaps those of other views; None = all. A source of which none is wanted is
        not computed.

    Both stamps are the instant of as_of, as rows depend on nothing but it and the tables. The rows come in tables of at
    most `ROWS_AT_ONCE`; none of them when there are no rows.
    """
    codes, keys = tuple(CODES[key] for key in view.keys), ", ".join(view.keys)
    stage.execute(
        f"CREATE OR REPLACE TEMP TABLE placed AS SELECT {', '.join(codes)}, {keys}, "
        f"CAST(row_number() OVER (ORDER BY {keys}) - 1 AS INTEGER) AS place FROM {view}_spine"
    )
    rows = stage.table(f"SELECT {keys} FROM placed ORDER BY place")
    specs = sorted(features_of(view, wanted), key=lambda spec: spec.source)
    by_source = groupby(specs, key=lambda spec: spec.source)
    sources = [_Source.read(stage, codes, source, tuple(told), len(rows)) for source, told in by_source]
    schema, stamp = view_schema(view, wanted), pa.scalar(stage.as_of.instant, INSTANT)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows.slice(start, ROWS_AT_ONCE)
        columns: dict[str, Any] = {key: part.column(key) for key in view.keys}
        columns |= {name: pa.repeat(stamp, len(part)) for name in STAMPS}
        for source in sources:
            columns |= source.columns(start, start + len(part))
        yield pa.table([columns[name] for name in schema.names], schema=schema)


class ViewWriter:
    """A feature table as one parquet file, written part by part; how it is cut into parts changes no byte of it."""

    def __init__(self, target: Path, view: View) -> None:
        self._schema = view_schema(view)
        self._file = pq.ParquetWriter(
            target, self._schema, compression="snappy", dictionary_pagesize_limit=DICTIONARY_BYTES
        )
        self._waiting: list[pa.Table] = []
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._write(self._waiting)
        self._file.close()

    def add(self, table: "pa.Table") -> None:
        """Append rows, whose keys follow those of all rows so far."""
        self.rows += len(table)
        self._waiting.append(table)
        while sum(map(len, self._waiting)) >= ROWS_AT_ONCE:
            whole = pa.concat_tables(self._waiting)
            self._write([whole.slice(0, ROWS_AT_ONCE)])
            left = whole.slice(ROWS_AT_ONCE)
            self._waiting = [left] if len(left) else []

    def _write(self, tables: "list[pa.Table]") -> None:
        """Write a group of rows: as one piece, as the bytes tell where pieces end."""
        if sum(map(len, tables)):
            self._file.write_table(pa.concat_tables(tables).combine_chunks())


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
    def read(cls, stage: Stage, codes: Sequence[str], source: str, specs: tuple[FeatureSpec, ...], size: int) -> Self:
        """Compute a source's features for the rows of the relation `placed`, whose key columns are the codes."""
        told = told_sql(source, specs, codes).format(as_of=stage.as_of.number)
        names = ", ".join(_typed(spec) for spec in specs)
        table = stage.table(f"SELECT place, {names} FROM ({told}) AS told JOIN placed USING ({', '.join(codes)})")
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
