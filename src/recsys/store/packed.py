from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import lmdb
import pyarrow as pa

from recsys.core.errors import ArtifactError, MissingError
from recsys.store.mapped import environment, identity
from recsys.store.packed_batch import STAMP, Batch, Key, collected_later, instant, moved, row_names
from recsys.store.packed_layout import NO_TIME, PackedSchema
from recsys.store.packed_rows import PackedBytes, PackedRows

# Address space, not disk: the file grows by what is written. A row of 60 numbers takes about 0.6 KB; a second full load
# stands beside the first until it is committed, so the file comes to twice the rows and keeps that size.
MAP_SIZE = 64 << 30
CHUNK = 65_536


class PackedStore:
    """The online store: an LMDB environment with one value a row.

    Any number of processes read while one writes. A write is one transaction: durable, and seen by everybody, when it
    returns; gone without a trace when its process dies before. A store or reader must not be carried over a fork.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        """Open it, and make it when it is not there.

        sync: False leaves the moment of writing to the kernel, see `mapped.environment`.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._env = environment(path, size=MAP_SIZE, sync=sync)

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
        batch = Batch.of(table, keys=keys, event=event, created=created)
        if not len(batch):
            return 0
        prefix, written = _prefix(view), 0
        with collected_later(), self._transaction() as txn:
            newest = _newest(txn, view)
            for start in range(0, len(batch), CHUNK):
                part = batch.part(start, start + CHUNK)
                names = [prefix + name for name in part.names]
                rows: Iterator[tuple[bytes, memoryview]] = zip(names, part.rows(schema), strict=True)
                if batch.oldest < newest:
                    rows = (row for row in rows if _is_newer(row[1], txn.get(row[0])))
                written += txn.cursor().putmulti(rows)[1]
                if progress:
                    progress(len(names))
            txn.put(_schema_name(view, schema.number), schema.dump())
            txn.put(_view_name(view), STAMP.pack(schema.number, *max(newest, batch.newest)))
        return written

    def forget(self, view: str, *, before: datetime | None = None) -> int:
        """Take away a view's rows, all of them or those with an event time before an instant; returns how many."""
        limit = instant(before)
        with self._transaction() as txn:
            names = [
                bytes(name) for name, value in _rows(txn, view) if before is None or STAMP.unpack_from(value)[1] < limit
            ]
            for name in names:
                txn.delete(name)
            if before is None:
                txn.delete(_view_name(view))
                txn.delete(_note_name(view))
        return len(names)

    def note(self, view: str, made_of: str) -> None:
        """Keep beside a view's rows what they were made of."""
        with self._transaction() as txn:
            txn.put(_note_name(view), made_of.encode())

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

    A store that appears later, or takes another's place, is read from then on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._env: lmdb.Environment | None = None
        self._schemas: dict[int, PackedSchema] = {}

    def read(self, view: str, keys: Sequence[Key], *, not_before: datetime | None = None) -> PackedRows:
        """Read the rows of keys, in the keys' order; unknown keys are told by `found`.

        keys: a text for each row, or a sequence of texts in the order of the view's key columns.
        not_before: a row whose event time is earlier is stale and withheld: give now minus the age that is allowed.
        `MissingError` when the view was never materialised, `ArtifactError` when the file is none of a store.
        """
        names = row_names(_prefix(view), keys)
        with self._opened().begin(buffers=True) as txn:
            latest = self._latest(txn, view)
            get, empty = txn.get, latest.empty
            packed = PackedBytes.of([get(name, empty) for name in names])
            foreign = set(packed.schema_numbers().tolist()) - {latest.number}
            older = {number: self._schema(txn, view, number) for number in foreign}
        if older:
            packed = moved(packed, older, latest)
        return PackedRows.of(latest, packed, not_before=instant(not_before))

    def schema(self, view: str) -> PackedSchema:
        """Return the columns of a view as last written; `MissingError` when it was never materialised."""
        with self._opened().begin() as txn:
            return self._latest(txn, view)

    def count(self, view: str) -> int:
        """Count the rows of a view."""
        with self._opened().begin(buffers=True) as txn:
            return sum(1 for _ in _rows(txn, view))

    def made_of(self, view: str) -> str | None:
        """Return what was noted of a view's rows, None where nothing was."""
        if identity(self._path) is None:
            return None
        with self._opened().begin() as txn:
            noted = txn.get(_note_name(view))
        return None if noted is None else bytes(noted).decode()

    def _opened(self) -> "lmdb.Environment":
        file = identity(self._path)
        if file is None:
            raise MissingError("online rows", "recsys materialize")
        if self._env is None or file != self._file:
            self._env = None  # LMDB has one handle of a path: the old file's goes before the new one's comes
            self._env, self._file, self._schemas = environment(self._path, size=MAP_SIZE), file, {}
        return self._env

    def _latest(self, txn: "lmdb.Transaction", view: str) -> PackedSchema:
        stored = txn.get(_view_name(view))
        if stored is None:
            raise MissingError(f"online rows of {view}", "recsys materialize")
        return self._schema(txn, view, STAMP.unpack(stored)[0])

    def _schema(self, txn: "lmdb.Transaction", view: str, number: int) -> PackedSchema:
        if number not in self._schemas:
            self._schemas[number] = PackedSchema.load(bytes(txn.get(_schema_name(view, number), b"")))
        return self._schemas[number]


def _rows(txn: "lmdb.Transaction", view: str) -> "Iterator[tuple[bytes | memoryview, bytes | memoryview]]":
    prefix = _prefix(view)
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


def _prefix(view: str) -> bytes:
    return view.encode() + b"\0"


def _view_name(view: str) -> bytes:
    return b"\0view\0" + view.encode()


def _note_name(view: str) -> bytes:
    return b"\0made of\0" + view.encode()


def _schema_name(view: str, number: int) -> bytes:
    return b"\0schema\0" + view.encode() + b"\0" + number.to_bytes(8, "little")
