import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import lmdb
import pyarrow as pa

from recsys.core.errors import ArtifactError, MissingError
from recsys.store.mapped import environment, identity
from recsys.store.packed_batch import Batch, Key, collected_later, instant, moved, row_names
from recsys.store.packed_file import RowFiles, write_rows
from recsys.store.packed_layout import ArrowArray, PackedSchema, pieces
from recsys.store.packed_rows import PackedRows
from recsys.store.packed_view import Record, Rest, StoredView, records

MAP_SIZE = 16 << 30
"""Address space of the LMDB file, not disk: it grows by what is written between two full loads."""
CHUNK = 65_536
LAID_OUT_FROM = 4096
"""A load of so many rows, that has a quarter of the file's at least, is laid out as a file."""
SUFFIX = ".rows"

Progress = Callable[[int], object]


class PackedStore:
    """The online store: of each view a file with the last full load, and before it an LMDB with the rows since then.

    Any number of processes read while one writes. A write is one transaction: durable, and seen by everybody, when it
    returns; gone without a trace when its process dies before. A store or reader must not be carried over a fork.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        """Open it, and make it when it is not there.

        sync: False leaves the moment of writing to the kernel, see `mapped.environment`.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._sync = sync
        self._files = RowFiles(path)
        self._env = environment(path, size=MAP_SIZE, sync=sync)

    def write(
        self,
        view: str,
        table: pa.Table,
        *,
        keys: Sequence[str],
        event: str,
        created: str | None = None,
        progress: Progress | None = None,
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
        newest = batch.newest
        with collected_later(), self._transaction() as txn:
            stored = self._stored(txn, view)
            file = old = stored.file_name
            if batch.oldest < stored.newest:
                batch = batch.where(batch.newer(stored.times(batch.names)))
            if len(batch) >= max(LAID_OUT_FROM, stored.filed // 4):
                file = self._lay_out(txn, _with(batch, schema, stored.rest(batch.names), progress))
                stored.clear()
            else:
                _put(stored, batch, schema, progress)
            txn.put(_schema_name(view, schema.number), schema.dump())
            txn.put(stored.name, Record(schema.number, *max(newest, stored.newest), file).dump())
        self._drop(old, unless=file)
        return len(batch)

    def forget(self, view: str, *, before: datetime | None = None) -> int:
        """Take away a view's rows, all of them or those with an event time before an instant; returns how many."""
        with self._transaction() as txn:
            stored = self._stored(txn, view)
            file = old = stored.file_name
            gone, rest = stored.forget(None if before is None else instant(before))
            if rest is not None and before is not None:
                file = self._lay_out(txn, rest)
            if before is None:
                file = ""
                txn.delete(stored.name)
                txn.delete(_note_name(view))
            elif stored.record is not None:
                txn.put(stored.name, replace(stored.record, file=file).dump())
        self._drop(old, unless=file)
        return gone

    def note(self, view: str, made_of: str) -> None:
        """Keep beside a view's rows what they were made of."""
        with self._transaction() as txn:
            txn.put(_note_name(view), made_of.encode())

    def _stored(self, txn: "lmdb.Transaction", view: str) -> StoredView:
        return StoredView(txn, view, self._files)

    def _lay_out(self, txn: "lmdb.Transaction", rows: Rest) -> str:
        """Write a file of rows and return its name; what no view names any more goes first."""
        named = {Record.load(record).file for record in records(txn)}
        for path in self._path.glob(f"*{SUFFIX}"):
            if path.name not in named:
                path.unlink(missing_ok=True)
        path = self._path / f"{uuid.uuid4().hex}{SUFFIX}"
        try:
            write_rows(path, rows.names, rows.blocks, row_width=rows.width, sync=self._sync)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.name

    def _drop(self, file: str, *, unless: str) -> None:
        if file and file != unless:
            (self._path / file).unlink(missing_ok=True)

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
        self._place: tuple[int, int] | None = None
        self._env: lmdb.Environment | None = None
        self._schemas: dict[int, PackedSchema] = {}
        self._files = RowFiles(path)

    def read(self, view: str, keys: Sequence[Key], *, not_before: datetime | None = None) -> PackedRows:
        """Read the rows of keys, in the keys' order; unknown keys are told by `found`.

        keys: a text for each row, or a sequence of texts in the order of the view's key columns.
        not_before: a row whose event time is earlier is stale and withheld: give now minus the age that is allowed.
        `MissingError` when the view was never materialised, `ArtifactError` when the store is broken.
        """
        names = row_names(keys)
        with self._seen(view) as stored:
            latest = self._latest(stored)
            packed = stored.packed(names, latest.empty)
            older = {number: self._schema(stored, number) for number in packed.foreign(latest)}
        if older:
            packed = moved(packed, older, latest)
        return PackedRows.of(latest, packed, not_before=instant(not_before))

    def schema(self, view: str) -> PackedSchema:
        """Return the columns of a view as last written; `MissingError` when it was never materialised."""
        with self._seen(view) as stored:
            return self._latest(stored)

    def count(self, view: str) -> int:
        """Count the rows of a view."""
        with self._seen(view) as stored:
            return stored.count()

    def made_of(self, view: str) -> str | None:
        """Return what was noted of a view's rows, None where nothing was."""
        if identity(self._path) is None:
            return None
        with self._opened().begin() as txn:
            noted = txn.get(_note_name(view))
        return None if noted is None else bytes(noted).decode()

    @contextmanager
    def _seen(self, view: str) -> Iterator[StoredView]:
        """Look at a view as it stands now; a file that was replaced between two looks is looked for again."""
        for last in (False, False, False, True):
            with self._opened().begin(buffers=True) as txn:
                try:
                    stored = StoredView(txn, view, self._files)
                except FileNotFoundError as error:
                    if last:
                        raise ArtifactError(self._path, "misses a file of rows") from error
                    continue
                yield stored
                return

    def _opened(self) -> "lmdb.Environment":
        place = identity(self._path)
        if place is None:
            raise MissingError("online rows", "recsys materialize")
        if self._env is None or place != self._place:
            self._env = None  # LMDB has one handle of a path: the old file's goes before the new one's comes
            self._env, self._place = environment(self._path, size=MAP_SIZE), place
            self._schemas, self._files = {}, RowFiles(self._path)
        return self._env

    def _latest(self, stored: StoredView) -> PackedSchema:
        if stored.record is None:
            raise MissingError(f"online rows of {stored.view}", "recsys materialize")
        return self._schema(stored, stored.record.schema)

    def _schema(self, stored: StoredView, number: int) -> PackedSchema:
        if number not in self._schemas:
            self._schemas[number] = PackedSchema.load(bytes(stored.txn.get(_schema_name(stored.view, number), b"")))
        return self._schemas[number]


def _put(stored: StoredView, batch: Batch, schema: PackedSchema, progress: Progress | None) -> None:
    """Write rows into LMDB."""
    for start in range(0, len(batch), CHUNK):
        part = batch.part(start, start + CHUNK)
        names = [stored.prefix + name for name in part.names]
        stored.txn.cursor().putmulti(zip(names, pieces(part.rows(schema)), strict=True))
        if progress:
            progress(len(names))


def _with(batch: Batch, schema: PackedSchema, rest: Rest, progress: Progress | None) -> Rest:
    """Put rows before those that stay."""

    def blocks() -> Iterator[ArrowArray]:
        for start in range(0, len(batch), CHUNK):
            part = batch.part(start, start + CHUNK)
            yield part.rows(schema)
            if progress:
                progress(len(part))

    width = 0 if schema.variable or (rest.names and rest.width != schema.width) else schema.width
    return Rest([*batch.names, *rest.names], chain(blocks(), rest.blocks), width)


def _note_name(view: str) -> bytes:
    return b"\0made of\0" + view.encode()


def _schema_name(view: str, number: int) -> bytes:
    return b"\0schema\0" + view.encode() + b"\0" + number.to_bytes(8, "little")
