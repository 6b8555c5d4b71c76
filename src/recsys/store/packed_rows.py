from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from recsys.store.packed_layout import HEADER, NO_TIME, PackedSchema


@dataclass(frozen=True)
class PackedBytes:
    """Packed rows as a store gave them, one after another.

    data: their bytes.
    ends: (n,) where each row ends in `data`.
    """

    data: bytes
    ends: np.ndarray

    @classmethod
    def of(cls, rows: "Sequence[bytes | memoryview]") -> Self:
        """Join rows, none of which is empty; they may be let go afterwards."""
        return cls(b"".join(rows), np.fromiter(map(len, rows), np.int64, len(rows)).cumsum())

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def starts(self) -> np.ndarray:
        """(n,) where each row starts."""
        return np.concatenate([np.zeros(1, np.int64), self.ends])[:-1]

    def heads(self, width: int) -> np.ndarray:
        """(n, width) first bytes of each row; no row may be shorter."""
        size = len(self)
        cells: np.ndarray = np.frombuffer(self.data, np.uint8)
        if not size:
            return cells.reshape(0, width)
        length = len(self.data) // size
        if (self.ends == np.arange(1, size + 1) * length).all():
            whole = cells.reshape(size, length)
            return whole[:, :width]
        windows: np.ndarray = np.lib.stride_tricks.sliding_window_view(cells, width)
        found: np.ndarray = windows[self.starts]
        return found

    def schema_numbers(self) -> np.ndarray:
        """(n,) int64 numbers of the schemas that the rows were written under."""
        return np.ascontiguousarray(self.heads(8)).view("<i8")[:, 0]

    def foreign(self, schema: PackedSchema) -> set[int]:
        """Numbers of the other schemas that rows were written under."""
        numbers = self.schema_numbers()
        other = numbers != schema.number
        return set(numbers[other].tolist()) if other.any() else set()


@dataclass(frozen=True)
class PackedRows:
    """Rows read from a packed store, in the order of the keys that were asked for.

    schema: what the columns are.
    found: (n,) false where the store has no row, or only a stale one.
    stale: (n,) true where there is a row, but older than was asked for; its values are withheld.
    event_time: (n,) datetime64[us] in UTC, NaT where there is no row; told for stale rows too.
    created_time: (n,) datetime64[us] in UTC, NaT where not known.
    numbers: (n, f) float64, one column a name of `names`; NaN = unknown. An integer beyond 2**53 is rounded here and
        exact in `column`.
    packed: (n,) the stored rows; an empty one where there is none.
    """

    schema: PackedSchema
    found: np.ndarray
    stale: np.ndarray
    event_time: np.ndarray
    created_time: np.ndarray
    numbers: np.ndarray
    packed: PackedBytes

    @classmethod
    def of(cls, schema: PackedSchema, packed: PackedBytes, *, not_before: int) -> Self:
        """Read packed rows of one schema.

        packed: (n,) rows; `schema.empty` where there is none.
        not_before: microseconds since 1970; rows of an earlier event time are stale.
        """
        heads = packed.heads(schema.width)
        times = np.ascontiguousarray(heads[:, 8:HEADER]).view("<M8[us]")
        event, created = times[:, 0], times[:, 1]
        known = event.view("<i8") != NO_TIME
        found = known & (event.view("<i8") >= not_before)
        numbers = _numbers(schema, heads)
        if not found.all():
            numbers[~found] = np.nan
        return cls(schema, found, known & ~found, event, created, numbers, packed)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `numbers`."""
        return tuple(column.name for column in self.schema.fixed)

    def nulls(self) -> np.ndarray:
        """(n, c) true where a column of `schema.columns` is null, or there is no row."""
        bits = self.packed.heads(self.schema.width)[:, self.schema.nulls_at : self.schema.ends_at]
        nulls = np.unpackbits(bits, axis=1, count=len(self.schema.columns), bitorder="little").view(bool)
        either: np.ndarray = nulls | ~self.found[:, None]
        return either

    def column(self, name: str) -> list[object]:
        """(n,) one column as plain values: float, int, bool, str or bytes; None = null, or no row."""
        place, column = next(pair for pair in enumerate(self.schema.columns) if pair[1].name == name)
        null = self.nulls()[:, place]
        values = self._fixed(name) if column in self.schema.fixed else self._variable(name, ~null)
        return [None if is_null else value for value, is_null in zip(values, null.tolist(), strict=True)]

    def _fixed(self, name: str) -> list[object]:
        place = [column.name for column in self.schema.fixed].index(name)
        kind = self.schema.fixed[place].kind
        start = HEADER + 8 * place
        cells = np.ascontiguousarray(self.packed.heads(self.schema.width)[:, start : start + 8])
        values = cells.view("<f8" if kind == "float" else "<i8")[:, 0]
        return list((values.astype(bool) if kind == "bool" else values).tolist())

    def _variable(self, name: str, wanted: np.ndarray) -> list[object]:
        place = [column.name for column in self.schema.variable].index(name)
        width, at = self.schema.width, self.schema.ends_at
        ends = np.ascontiguousarray(self.packed.heads(width)[:, at:width]).view("<u4").astype(np.int64)
        first = self.packed.starts + width
        cuts = zip(
            wanted.tolist(),
            (first + (ends[:, place - 1] if place else 0)).tolist(),
            (first + ends[:, place]).tolist(),
            strict=True,
        )
        data = self.packed.data
        texts = [data[start:end] if wants else b"" for wants, start, end in cuts]
        return [text.decode() for text in texts] if self.schema.variable[place].kind == "text" else list(texts)


def _numbers(schema: PackedSchema, heads: np.ndarray) -> np.ndarray:
    cells = np.ascontiguousarray(heads[:, HEADER : schema.nulls_at]).view("<i8").reshape(len(heads), len(schema.fixed))
    numbers = cells.view("<f8")
    if all(column.kind == "float" for column in schema.fixed):
        return numbers if numbers.flags.writeable else numbers.copy()
    numbers = numbers.copy()
    for place, column in enumerate(schema.fixed):
        if column.kind != "float":
            at = schema.columns.index(column)
            null = (heads[:, schema.nulls_at + at // 8] & (1 << at % 8)).astype(bool)
            numbers[:, place] = np.where(null, np.nan, cells[:, place])
    return numbers
