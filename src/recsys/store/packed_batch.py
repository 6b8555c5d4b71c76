"""What every packed store does alike with rows: put them in order, name them, and move them to another schema."""

import gc
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np
import pyarrow as pa

from recsys.store.packed_file import CHUNK, hashed, name_cells
from recsys.store.packed_layout import (
    LONGEST_KEY,
    NO_TIME,
    ArrowArray,
    PackedSchema,
    encode_key,
    encode_keys,
    encode_rows,
    kernels,
    micros,
    pieces,
)
from recsys.store.packed_rows import PackedBytes, PackedRows

STAMP = struct.Struct("<qqq")
"""How a row and a view's record begin: the schema's number, event time and created time."""

Key = str | Sequence[str]
"""A text for a view of one key column, else a text for each in the order of the view's key columns."""


@dataclass(frozen=True)
class Batch:
    """Rows to write, each name once: the newest of its rows.

    names: (n,) bytes that name each row in the view.
    event, created: (n,) int64 microseconds since 1970 in UTC.
    """

    names: list[bytes]
    table: pa.Table
    event: np.ndarray
    created: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, *, keys: Sequence[str], event: str, created: str | None) -> Self:
        """Take the rows of a table; `TableError` names a key column that has nulls."""
        events = micros(table.column(event))
        createds = micros(table.column(created)) if created else np.full(len(events), NO_TIME, np.int64)
        names = encode_keys(table, keys)
        if not _rising(names) and not _distinct(names):
            chosen = _newest_by_name(names, events, createds)
            names, table = names.take(chosen), table.take(chosen)
            events, createds = events[chosen.to_numpy()], createds[chosen.to_numpy()]
        return cls(names.to_pylist(), table, events, createds)

    def __len__(self) -> int:
        return len(self.names)

    def part(self, start: int, end: int) -> Self:
        """Return the rows from start to end."""
        cut = slice(start, end)
        return type(self)(self.names[cut], self.table.slice(start, end - start), self.event[cut], self.created[cut])

    def rows(self, schema: PackedSchema) -> ArrowArray:
        """(n,) packed rows."""
        return encode_rows(schema, self.table, self.event, self.created)

    def where(self, chosen: np.ndarray) -> Self:
        """Return the rows that are chosen by (n,) booleans."""
        names = [name for name, take in zip(self.names, chosen.tolist(), strict=True) if take]
        return type(self)(names, self.table.filter(pa.array(chosen)), self.event[chosen], self.created[chosen])

    def newer(self, stored: np.ndarray) -> np.ndarray:
        """(n,) whether rows are to be taken in place of those that have (n, 2) event and created times."""
        later: np.ndarray = self.event > stored[:, 0]
        same: np.ndarray = self.event == stored[:, 0]
        return np.where(same, self.created >= stored[:, 1], later)

    @property
    def oldest(self) -> tuple[int, int]:
        """No row is older than this; there must be rows."""
        return int(self.event.min()), int(self.created.min())

    @property
    def newest(self) -> tuple[int, int]:
        """Times of the newest row; there must be rows."""
        event = int(self.event.max())
        return event, int(self.created[self.event == event].max())


def row_names(keys: Sequence[Key]) -> list[bytes]:
    """(n,) names of rows, as `Batch` has them."""
    if set(map(type, keys)) <= {str}:
        names = [key.encode() for key in keys if isinstance(key, str)]
        if max(map(len, names), default=0) <= LONGEST_KEY:
            return names
    return [encode_key([key] if isinstance(key, str) else key) for key in keys]


def moved(packed: PackedBytes, schemas: dict[int, PackedSchema], latest: PackedSchema) -> PackedBytes:
    """Pack rows anew that were written under an older schema; columns that it had not are null.

    schemas: those of the rows, by their numbers.
    """
    rows: list[bytes | memoryview] = [
        packed.data[start:end] for start, end in zip(packed.starts.tolist(), packed.ends.tolist(), strict=True)
    ]
    numbers = packed.schema_numbers()
    for number, schema in schemas.items():
        places = np.flatnonzero(numbers == number).tolist()
        old = PackedRows.of(schema, PackedBytes.of([rows[place] for place in places]), not_before=NO_TIME)
        same = set(schema.columns)
        arrays = [
            pa.array(old.column(column.name) if column in same else [None] * len(old), column.arrow)
            for column in latest.columns
        ]
        table = pa.Table.from_arrays(arrays, names=[column.name for column in latest.columns])
        times = old.event_time.astype(np.int64), old.created_time.astype(np.int64)
        for place, row in zip(places, pieces(encode_rows(latest, table, *times)), strict=True):
            rows[place] = bytes(row)
    return PackedBytes.of(rows)


def instant(time: datetime | None) -> int:
    """Microseconds since 1970; None is before all times, and a time without a zone is UTC."""
    if time is None:
        return int(NO_TIME)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@contextmanager
def collected_later() -> Iterator[None]:
    """Keep the collector from walking over a load's rows again and again: they are many and form no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rising(names: ArrowArray) -> bool:
    return len(names) < 2 or bool(kernels.all(kernels.less(names[:-1], names[1:])).as_py())


def _distinct(names: ArrowArray) -> bool:
    """Whether all names differ, as far as their hashes tell: where these are the same, the names are compared."""
    hashes = [hashed(name_cells(part.to_pylist())) for part in _parts(names)]
    return len(np.unique(np.concatenate(hashes))) == len(names)


def _parts(names: ArrowArray) -> Iterator[ArrowArray]:
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]


def _newest_by_name(names: ArrowArray, event: np.ndarray, created: np.ndarray) -> ArrowArray:
    """Places of the rows by rising name, of each name the newest and of equal ones the last."""
    columns = {"name": names, "event": pa.array(event), "created": pa.array(created)}
    order = kernels.sort_indices(pa.table(columns), sort_keys=[(column, "ascending") for column in columns])
    ordered = names.take(order)
    last = pa.concat_arrays([kernels.not_equal(ordered[:-1], ordered[1:]), pa.array([True])])
    return order.filter(last)
