import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lmdb
import numpy as np
import pyarrow as pa

from recsys.core.errors import ArtifactError, MissingError
from recsys.store.mapped import environment
from recsys.store.packed_layout import (
    NO_TIME,
    PackedSchema,
    encode_key,
    encode_keys,
    encode_rows,
    kernels,
    micros,
    pieces,
)
from recsys.store.packed_rows import PackedRows

# Address space, not disk: the file grows by what is written. A row of 60 numbers takes about 0.5 KB; a second full load
# stands beside the first until it is committed, so the file comes to twice the rows and keeps that size.
MAP_SIZE = 64 << 30
CHUNK = 65_536
STAMP = struct.Struct("<qqq")


class PackedStore:
    """The online store: an LMDB environment with one value a row.

    Any number of processes read while one writes. A write is one transaction: durable, and seen by everybody, when it
    returns; gone without a trace when its process dies before. A store or reader must not be carried over a fork.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._env = environment(path, size=MAP_SIZE)

    def write(
        self,
        view: str,
        table: pa.Table,
        *,
        keys: Sequence[str],
        event: str,
        created: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Write rows in one transaction; a row that is older than the stored one is left out.

        table: the key columns (text or integers, never null), the value columns and the two times.
        event, created: names of the timestamp columns; a later event time wins, then a later created time, then the
            later write. Times without a zone are UTC.
        progress: called with the number of rows of each chunk, when it is written and before anything is committed.
        Returns how many rows were written. `TableError` names a column that cannot be packed.
        """
        schema = PackedSchema.of(table.schema, keys=keys, skip=[name for name in (event, created) if name])
        batch = _Batch.of(view, table, keys, event, created)
        if not batch.names:
            return 0
        written = 0
        with self._transaction() as txn:
            newest = _newest(txn, view)
            for start in range(0, len(batch.names), CHUNK):
                part = batch.part(start, start + CHUNK)
                rows: Iterator[tuple[bytes, memoryview]] = zip(
                    part.names, pieces(encode_rows(schema, part.table, part.event, part.created)), strict=True
                )
                if batch.oldest < newest:
                    rows = (row for row in rows if _is_newer(row[1], txn.get(row[0])))
                written += txn.cursor().putmulti(rows)[1]
                if progress:
                    progress(len(part.names))
            txn.put(_schema_name(view, schema.number), schema.dump())
            txn.put(_view_name(view), STAMP.pack(schema.number, *max(newest, batch.newest)))
        return written

    def forget(self, view: str, *, before: datetime | None = None) -> int:
        """Take away a view's rows, all of them or those with an event time before an instant; returns how many."""
        limit = None if before is None else _instant(before)
        with self._transaction() as txn:
            names = [
                bytes(name) for name, value in _rows(txn, view) if limit is None or STAMP.unpack_from(value)[1] < limit
            ]
            for name in names:
                txn.delete(name)
            if limit is None:
                txn.delete(_view_name(view))
        return len(names)

    @contextmanager
    def _transaction(self) -> "Iterator[lmdb.Transaction]":
        self._env.reader_check()
        try:
            with self._env.begin(write=True, buffers=True) as txn:
                yield txn
        except lmdb.MapFullError as error:
            raise ArtifactError(self._path, f"is full at {MAP_SIZE >> 30} GiB") from error


class PackedReader:
    """Reads rows from a packed store; needs no Feast, and sees at once what any process has committed.

    path: the store's folder; `MissingError` when nothing was ever materialised there.
    """

    def __init__(self, path: Path) -> None:
        if not (path / "data.mdb").is_file():
            raise MissingError("online rows", "recsys materialize")
        self._env = environment(path, size=MAP_SIZE)
        self._schemas: dict[int, PackedSchema] = {}

    def read(
        self, view: str, keys: "Sequence[str | Sequence[str]]", *, not_before: datetime | None = None
    ) -> PackedRows:
        """Read the rows of keys, in the keys' order; unknown keys are told by `found`.

        keys: a text for each row, or a sequence of texts in the order of the view's key columns.
        not_before: a row whose event time is earlier is stale and withheld: give now minus the age that is allowed.
        `MissingError` when the view was never materialised.
        """
        with self._env.begin() as txn:
            latest = self._latest(txn, view)
            get = txn.get
            raw = [get(_row_name(view, key)) or b"" for key in keys]
            foreign = {STAMP.unpack_from(value)[0] for value in raw if value} - {latest.number}
            older = {number: self._schema(txn, view, number) for number in foreign}
        for number, schema in older.items():
            raw = _moved(raw, number, schema, latest)
        return PackedRows.of(latest, raw, not_before=NO_TIME if not_before is None else _instant(not_before))

    def schema(self, view: str) -> PackedSchema:
        """Return the columns of a view as last written; `MissingError` when it was never materialised."""
        with self._env.begin() as txn:
            return self._latest(txn, view)

    def count(self, view: str) -> int:
        """Count the rows of a view."""
        with self._env.begin(buffers=True) as txn:
            return sum(1 for _ in _rows(txn, view))

    def _latest(self, txn: "lmdb.Transaction", view: str) -> PackedSchema:
        stored = txn.get(_view_name(view))
        if stored is None:
            raise MissingError(f"online rows of {view}", "recsys materialize")
        return self._schema(txn, view, STAMP.unpack(stored)[0])

    def _schema(self, txn: "lmdb.Transaction", view: str, number: int) -> PackedSchema:
        if number not in self._schemas:
            self._schemas[number] = PackedSchema.load(bytes(txn.get(_schema_name(view, number), b"")))
        return self._schemas[number]


@dataclass(frozen=True)
class _Batch:
    """Rows to write, by rising name, each name once: the newest of its rows."""

    names: list[bytes]
    table: pa.Table
    event: np.ndarray
    created: np.ndarray

    @classmethod
    def of(cls, view: str, table: pa.Table, keys: Sequence[str], event: str, created: str | None) -> "_Batch":
        events = micros(table.column(event))
        createds = micros(table.column(created)) if created else np.full(len(events), NO_TIME, np.int64)
        names = encode_keys(table, keys)
        columns = [names, pa.array(events), pa.array(createds)]
        order = kernels.sort_indices(
            pa.Table.from_arrays(columns, names=["name", "event", "created"]),
            sort_keys=[(column, "ascending") for column in ("name", "event", "created")],
        )
        names = names.take(order)
        last = np.ones(len(names), bool)
        if len(names) > 1:
            last[:-1] = kernels.not_equal(names[:-1], names[1:]).to_numpy(zero_copy_only=False)
        chosen = order.to_numpy()[last]
        prefix = view.encode() + b"\0"
        whole = [prefix + name for name in kernels.filter(names, pa.array(last)).to_pylist()]
        return cls(whole, table.take(pa.array(chosen)), events[chosen], createds[chosen])

    def part(self, start: int, end: int) -> "_Batch":
        size = end - start
        cut = slice(start, end)
        return _Batch(self.names[cut], self.table.slice(start, size), self.event[cut], self.created[cut])

    @property
    def oldest(self) -> tuple[int, int]:
        return int(self.event.min()), int(self.created.min())

    @property
    def newest(self) -> tuple[int, int]:
        event = int(self.event.max())
        return event, int(self.created[self.event == event].max())


def _rows(txn: "lmdb.Transaction", view: str) -> "Iterator[tuple[bytes | memoryview, bytes | memoryview]]":
    prefix = view.encode() + b"\0"
    cursor = txn.cursor()
    if not cursor.set_range(prefix):
        return
    for name, value in cursor:
        if bytes(name[: len(prefix)]) != prefix:
            return
        yield name, value


def _newest(txn: "lmdb.Transaction", view: str) -> tuple[int, int]:
    stored = txn.get(_view_name(view))
    return STAMP.unpack(stored)[1:] if stored is not None else (NO_TIME, NO_TIME)


def _is_newer(row: memoryview, stored: bytes | memoryview | None) -> bool:
    return stored is None or STAMP.unpack_from(row)[1:] >= STAMP.unpack_from(stored)[1:]


def _moved(raw: list[bytes], number: int, schema: PackedSchema, latest: PackedSchema) -> list[bytes]:
    """Re-pack the rows that were written under an older schema; columns that it had not are null."""
    places = [place for place, row in enumerate(raw) if row and STAMP.unpack_from(row)[0] == number]
    rows = PackedRows.of(schema, [raw[place] for place in places], not_before=NO_TIME)
    same = set(schema.columns)
    arrays = [
        pa.array(rows.column(column.name) if column in same else [None] * len(rows), column.arrow)
        for column in latest.columns
    ]
    table = pa.Table.from_arrays(arrays, names=[column.name for column in latest.columns])
    moved = list(raw)
    packed = encode_rows(latest, table, rows.event_time.astype(np.int64), rows.created_time.astype(np.int64))
    for place, row in zip(places, pieces(packed), strict=True):
        moved[place] = bytes(row)
    return moved


def _row_name(view: str, key: "str | Sequence[str]") -> bytes:
    return view.encode() + b"\0" + encode_key([key] if isinstance(key, str) else key)


def _view_name(view: str) -> bytes:
    return b"\0view\0" + view.encode()


def _schema_name(view: str, number: int) -> bytes:
    return b"\0schema\0" + view.encode() + b"\0" + number.to_bytes(8, "little")


def _instant(time: datetime) -> int:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
