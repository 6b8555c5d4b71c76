from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.store.packed_layout import HEADER, NO_TIME, PackedSchema


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
    packed: (n,) the stored bytes; empty where not found.
    """

    schema: PackedSchema
    found: np.ndarray
    stale: np.ndarray
    event_time: np.ndarray
    created_time: np.ndarray
    numbers: np.ndarray
    packed: tuple[bytes, ...]

    @classmethod
    def of(cls, schema: PackedSchema, packed: Sequence[bytes], *, not_before: int) -> Self:
        """Read packed rows of one schema.

        packed: (n,) rows; empty = there is none.
        not_before: microseconds since 1970; rows of an earlier event time are stale.
        """
        none = np.array([0, NO_TIME, NO_TIME], "<i8").tobytes().ljust(schema.width, b"\0")
        heads = b"".join([row[: schema.width] or none for row in packed])
        matrix = np.frombuffer(heads, np.uint8).reshape(len(packed), schema.width)
        event, created = np.ascontiguousarray(matrix[:, 8:HEADER]).view("<i8").reshape(-1, 2).T
        known = event != NO_TIME
        found = known & (event >= not_before)
        return cls(
            schema,
            found,
            known & ~found,
            event.astype("datetime64[us]"),
            created.astype("datetime64[us]"),
            _numbers(schema, matrix, found),
            tuple(packed)
            if found.all()
            else tuple(row if has else b"" for row, has in zip(packed, found, strict=True)),
        )

    def __len__(self) -> int:
        return len(self.found)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `numbers`."""
        return tuple(column.name for column in self.schema.fixed)

    def nulls(self) -> np.ndarray:
        """(n, c) true where a column of `schema.columns` is null, or there is no row."""
        start, end = self.schema.nulls_at, self.schema.ends_at
        bits = b"".join([row[start:end] or b"\xff" * (end - start) for row in self.packed])
        matrix = np.frombuffer(bits, np.uint8).reshape(len(self), end - start)
        return np.unpackbits(matrix, axis=1, count=len(self.schema.columns), bitorder="little").astype(bool)

    def column(self, name: str) -> list[object]:
        """(n,) one column as plain values: float, int, bool, str or bytes; None = null, or no row."""
        place, column = next(pair for pair in enumerate(self.schema.columns) if pair[1].name == name)
        null = self.nulls()[:, place].tolist()
        values = self._fixed(name) if column in self.schema.fixed else self._variable(name)
        return [None if is_null else value for value, is_null in zip(values, null, strict=True)]

    def _fixed(self, name: str) -> list[object]:
        place = [column.name for column in self.schema.fixed].index(name)
        kind = self.schema.fixed[place].kind
        start = HEADER + 8 * place
        cells = b"".join([row[start : start + 8] or b"\0" * 8 for row in self.packed])
        values = np.frombuffer(cells, "<f8" if kind == "float" else "<i8")
        return list((values.astype(bool) if kind == "bool" else values).tolist())

    def _variable(self, name: str) -> list[object]:
        place = [column.name for column in self.schema.variable].index(name)
        at = self.schema.ends_at + 4 * place
        width = self.schema.width
        cuts = [
            row[
                width + (int.from_bytes(row[at - 4 : at], "little") if place else 0) : width
                + int.from_bytes(row[at : at + 4], "little")
            ]
            for row in self.packed
        ]
        return [cut.decode() for cut in cuts] if self.schema.variable[place].kind == "text" else list(cuts)


def _numbers(schema: PackedSchema, matrix: np.ndarray, found: np.ndarray) -> np.ndarray:
    shape = (len(found), len(schema.fixed))
    cells = np.frombuffer(matrix[:, HEADER : schema.nulls_at].tobytes(), "<i8").reshape(shape)
    numbers = cells.view("<f8").copy()
    for place, column in enumerate(schema.fixed):
        if column.kind != "float":
            at = schema.columns.index(column)
            null = (matrix[:, schema.nulls_at + at // 8] & (1 << at % 8)).astype(bool)
            numbers[:, place] = np.where(null, np.nan, cells[:, place])
    numbers[~found] = np.nan
    return numbers
