"""The bytes of one packed row: a header, eight bytes a fixed cell, a bit a column for nulls, then the texts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute

from recsys.core.errors import TableError

ArrowArray = Any  # an Arrow array, chunked or not: pyarrow's stubs and pyarrow disagree about their types
kernels: Any = pyarrow.compute  # likewise

FIXED = ("float", "int", "bool")
VARIABLE = ("text", "bytes")
NO_TIME = np.iinfo(np.int64).min
HEADER = 24
LONGEST_KEY = 440  # of 511 that LMDB allows, with the view's name before it
ARROW: dict[str, pa.DataType] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.binary(),
}


@dataclass(frozen=True)
class PackedColumn:
    """One value column.

    kind: float (64 bits), int (64 bits, signed), bool, text (UTF-8) or bytes.
    """

    name: str
    kind: str

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of its values."""
        return ARROW[self.kind]


@dataclass(frozen=True)
class PackedSchema:
    """What a row holds; written once beside the rows, so that a reader needs nothing else.

    keys: the columns that name a row, in the order in which a reader gives them.
    columns: every value column, in the order of the table that was written.

    A row is: 8 bytes `number`, 8 bytes event time and 8 bytes created time (microseconds since 1970 in UTC; the
    smallest integer = not known), 8 bytes for each fixed column, one bit a column that is set where it is null, 4
    bytes for the end of each variable column, then the variable columns' bytes. All little-endian.
    """

    keys: tuple[str, ...]
    columns: tuple[PackedColumn, ...]

    @classmethod
    def of(cls, fields: pa.Schema, *, keys: Sequence[str], skip: Sequence[str]) -> Self:
        """Derive from an Arrow schema; `TableError` names a column of a type that cannot be packed."""
        chosen = [field for field in fields if field.name not in {*keys, *skip}]
        return cls(tuple(keys), tuple(PackedColumn(field.name, _kind(field)) for field in chosen))

    @cached_property
    def fixed(self) -> tuple[PackedColumn, ...]:
        """Columns of eight bytes a row, in order."""
        return tuple(column for column in self.columns if column.kind in FIXED)

    @cached_property
    def variable(self) -> tuple[PackedColumn, ...]:
        """Columns of any length, in order."""
        return tuple(column for column in self.columns if column.kind in VARIABLE)

    @cached_property
    def nulls_at(self) -> int:
        """Where the null bits start."""
        return HEADER + 8 * len(self.fixed)

    @cached_property
    def ends_at(self) -> int:
        """Where the ends of the variable columns start."""
        return self.nulls_at + (len(self.columns) + 7) // 8

    @cached_property
    def width(self) -> int:
        """Bytes of a row before its texts."""
        return self.ends_at + 4 * len(self.variable)

    @cached_property
    def number(self) -> int:
        """What rows carry to name their schema: 63 bits of the digest of the schema's text."""
        return int.from_bytes(hashlib.sha256(self.dump()).digest()[:8], "little") >> 1

    @cached_property
    def empty(self) -> bytes:
        """What stands in for a row that is not there: no time is known, and every column is null."""
        head = np.array([self.number, NO_TIME, NO_TIME], "<i8").tobytes().ljust(self.nulls_at, b"\0")
        return head.ljust(self.ends_at, b"\xff").ljust(self.width, b"\0")

    def dump(self) -> bytes:
        """Write as JSON."""
        columns = [[column.name, column.kind] for column in self.columns]
        return json.dumps({"keys": list(self.keys), "columns": columns}, ensure_ascii=False).encode()

    @classmethod
    def load(cls, text: bytes) -> Self:
        """Read what `dump` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(tuple(data["keys"]), tuple(PackedColumn(name, kind) for name, kind in data["columns"]))


def encode_keys(table: pa.Table, keys: Sequence[str]) -> ArrowArray:
    """(n,) bytes that name each row; `TableError` names a key column that has nulls."""
    for name in keys:
        if table.column(name).null_count:
            raise TableError(name, "a key must not be null", table.column(name).null_count)
    parts = [_flat(table.column(name).cast(pa.string())).cast(pa.large_binary()) for name in keys]
    longest = max((kernels.max(kernels.binary_length(part)).as_py() or 0 for part in parts), default=0)
    if len(parts) == 1 and longest <= LONGEST_KEY:
        return parts[0]
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    return pa.array([_join(row) for row in rows], pa.large_binary())


def encode_key(parts: Sequence[str]) -> bytes:
    """Return the bytes that name one row, as `encode_keys` writes them."""
    return _join([part.encode() for part in parts])


def encode_rows(schema: PackedSchema, table: pa.Table, event: np.ndarray, created: np.ndarray) -> ArrowArray:
    """(n,) packed rows of a table that has the schema's columns.

    event, created: (n,) int64 microseconds since 1970 in UTC.
    """
    size = table.num_rows
    nulls = np.zeros((size, len(schema.columns)), bool)
    for place, column in enumerate(schema.columns):
        if table.column(column.name).null_count:
            nulls[:, place] = _flat(table.column(column.name)).is_null().to_numpy(zero_copy_only=False)
    head = np.zeros((size, schema.width), np.uint8)
    times = np.column_stack([np.full(size, schema.number, np.int64), event, created])
    head[:, :HEADER] = times.view(np.uint8).reshape(size, HEADER)
    cells = np.empty((size, len(schema.fixed)), np.int64)
    for place, column in enumerate(schema.fixed):
        cells[:, place] = _cells(column, table.column(column.name))
    head[:, HEADER : schema.nulls_at] = cells.view(np.uint8).reshape(size, -1)
    head[:, schema.nulls_at : schema.ends_at] = np.packbits(nulls, axis=1, bitorder="little")
    texts = [_flat(table.column(column.name)).cast(pa.large_binary()).fill_null(b"") for column in schema.variable]
    if texts:
        ends = (
            np.column_stack([kernels.binary_length(text).to_numpy() for text in texts]).cumsum(axis=1).astype(np.uint32)
        )
        head[:, schema.ends_at :] = ends.view(np.uint8).reshape(size, -1)
    offsets: Any = np.arange(size + 1, dtype=np.int64) * schema.width
    data: Any = head
    heads: Any = pa.Array.from_buffers(pa.large_binary(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return kernels.binary_join_element_wise(heads, *texts, pa.scalar(b"", pa.large_binary())) if texts else heads


def pieces(rows: ArrowArray) -> list[memoryview]:
    """Cut an array of packed rows into views of its own bytes, one a row."""
    if not len(rows):
        return []
    buffers: Any = rows.buffers()
    _, offsets, data = buffers
    ends = np.frombuffer(offsets, np.int64)[rows.offset : rows.offset + len(rows) + 1].tolist()
    view = memoryview(data)
    return [view[start:end] for start, end in pairwise(ends)]


def micros(column: ArrowArray) -> np.ndarray:
    """(n,) int64 microseconds of a timestamp column; null becomes `NO_TIME`."""
    whole = _cast(_flat(column.cast(pa.timestamp("us", column.type.tz), safe=False)), pa.int64())
    return np.asarray(_filled(whole, NO_TIME).to_numpy(zero_copy_only=False), np.int64)


def _kind(field: Any) -> str:
    tests: dict[str, Any] = {
        "float": pa.types.is_floating,
        "int": pa.types.is_integer,
        "bool": pa.types.is_boolean,
        "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
        "bytes": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
    }
    for kind, test in tests.items():
        if test(field.type):
            return kind
    raise TableError(field.name, f"a column of type {field.type} cannot be packed")


def _cells(column: PackedColumn, values: ArrowArray) -> np.ndarray:
    if column.kind == "float":
        floats = _cast(_flat(values), pa.float64()).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(floats, np.float64).view(np.int64)
    return np.asarray(_filled(_cast(_flat(values), pa.int64()), 0).to_numpy(zero_copy_only=False))


def _flat(column: ArrowArray) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _cast(values: ArrowArray, kind: pa.DataType) -> Any:
    return values if values.type == kind else values.cast(kind)


def _filled(values: ArrowArray, instead: int) -> Any:
    return values.fill_null(instead) if values.null_count else values


def _join(parts: Sequence[bytes]) -> bytes:
    lengths = (len(part).to_bytes(4, "little") for part in parts[:-1])
    whole = b"".join(lengths) + b"".join(parts)
    return whole if len(whole) <= LONGEST_KEY else hashlib.sha512(whole).digest()
