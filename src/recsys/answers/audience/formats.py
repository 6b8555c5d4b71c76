"""The forms in which members of a package are given away, written piece by piece."""

import io
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq

kernels: Any = pa.compute

BOM = "\N{BYTE ORDER MARK}".encode()
SAMPLE_ROWS = 4000
GUARDED = ("reason_zh", "reason_en", "channel", "format", "benefit")
"""Texts that a spreadsheet must not take for formulas; ids are given as they are."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """How members are written."""

    CSV = "csv"
    """UTF-8 with a byte order mark, as spreadsheets want it; product_1, product_2, ... instead of a list."""
    PARQUET = "parquet"
    JSONL = "jsonl"
    """A JSON object a line."""

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return _MEDIA[self]


_MEDIA = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.JSONL: "application/x-ndjson",
}


def encode(kind: Format, schema: pa.Schema, parts: Iterable[pa.Table], *, products: int) -> Iterator[bytes]:
    """Write tables of one schema, one after the other; yields the file in pieces.

    products: the longest list of products there is, which makes the columns of a CSV file.
    """
    match kind:
        case Format.CSV:
            yield from _csv(schema, parts, products)
        case Format.PARQUET:
            yield from _parquet(schema, parts)
        case Format.JSONL:
            for part in parts:
                yield _lines(part)


def expected_bytes(kind: Format, sample: pa.Table, rows: int, *, products: int) -> int:
    """Tell about how large a file of `rows` rows will be, when its rows are like those of a sample."""
    nothing = sum(map(len, encode(kind, sample.schema, [sample.slice(0, 0)], products=products)))
    if not sample.num_rows:
        return nothing
    whole = sum(map(len, encode(kind, sample.schema, [sample], products=products)))
    return nothing + round((whole - nothing) * rows / sample.num_rows)


def _csv(schema: pa.Schema, parts: Iterable[pa.Table], products: int) -> Iterator[bytes]:
    header = _flat(schema.empty_table(), products)
    yield BOM + _written(header, with_header=True)
    for part in parts:
        yield _written(_flat(part, products), with_header=False)


def _written(table: pa.Table, *, with_header: bool) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(include_header=with_header))
    return sink.getvalue()


def _flat(table: pa.Table, products: int) -> pa.Table:
    """Return a table without lists, in which no text begins like a formula."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if name == "products":
            columns |= {f"product_{place + 1}": _element(column, place) for place in range(products)}
        else:
            columns[name] = _guarded(column) if name in GUARDED else column
    return pa.table(columns)


def _element(lists: Any, place: int) -> Any:
    """(n,) the element at a place of each list; null where the list is shorter or null."""
    parts = []
    for chunk in lists.chunks:
        long = kernels.fill_null(kernels.greater(kernels.list_value_length(chunk), place), False)  # noqa: FBT003
        at = kernels.if_else(long, kernels.add(chunk.offsets[:-1], place), None)
        parts.append(chunk.values.take(at))
    return pa.chunked_array(parts, pa.string())


def _guarded(texts: Any) -> Any:
    first = kernels.utf8_slice_codeunits(texts, 0, 1)
    risky = kernels.fill_null(kernels.is_in(first, pa.array(FORMULA_SIGNS)), False)  # noqa: FBT003
    if not kernels.any(risky).as_py():
        return texts
    return kernels.if_else(risky, kernels.binary_join_element_wise("'", texts, ""), texts)


def _parquet(schema: pa.Schema, parts: Iterable[pa.Table]) -> Iterator[bytes]:
    sink: Any = _Drain()
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        for part in parts:
            writer.write_table(part)
            yield sink.drain()
    yield sink.drain()


class _Drain(io.RawIOBase):
    """A file that is emptied while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def drain(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


def _lines(table: pa.Table) -> bytes:
    """Return a JSON object a row, each on a line of its own."""
    if not table.num_rows:
        return b""
    texts: list[Any] = []
    for place, name in enumerate(table.column_names):
        key = json.dumps(name)
        texts += [f"{',' if place else '{'}{key}:", _json(table.column(name).combine_chunks())]
    rows = kernels.binary_join_element_wise(*texts, "}\n", "")
    ends = np.frombuffer(rows.buffers()[1], np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return bytes(rows.buffers()[2].slice(ends[0], ends[-1] - ends[0]))


def _json(values: Any) -> Any:
    """(n,) texts that are JSON for each value."""
    if pa.types.is_list(values.type):
        quoted = pa.ListArray.from_arrays(values.offsets, _quoted(values.values))
        inside = kernels.binary_join_element_wise("[", kernels.binary_join(quoted, ","), "]", "")
        told = kernels.if_else(values.is_valid(), inside, None)
    elif pa.types.is_string(values.type) or pa.types.is_date(values.type):
        told = _quoted(values.cast(pa.string()))
    else:
        told = values.cast(pa.string())
    return kernels.fill_null(told, "null")


def _quoted(texts: Any) -> Any:
    """(n,) texts as JSON strings; those that come again and again are quoted once."""
    known = texts.dictionary_encode()
    if len(known.dictionary) * 4 < len(texts):
        return pa.DictionaryArray.from_arrays(known.indices, _quoted_each(known.dictionary)).cast(pa.string())
    return _quoted_each(texts)


def _quoted_each(texts: Any) -> Any:
    if kernels.any(kernels.match_substring_regex(texts, "[\\x00-\\x1f]")).as_py():
        return pa.array([None if text is None else json.dumps(text, ensure_ascii=False) for text in texts.to_pylist()])
    for sign, told in (("\\", "\\\\"), ('"', '\\"')):
        if kernels.any(kernels.match_substring(texts, sign)).as_py():
            texts = kernels.replace_substring(texts, sign, told)
    return kernels.binary_join_element_wise('"', texts, '"', "")
