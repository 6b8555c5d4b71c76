"""A view's packed rows as one LMDB transaction sees them: recent ones in LMDB, before those of the last full load."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import lmdb
import numpy as np
import pyarrow as pa

from recsys.store.packed_batch import STAMP
from recsys.store.packed_file import CHUNK, RowFiles
from recsys.store.packed_layout import NO_TIME, ArrowArray
from recsys.store.packed_rows import PackedBytes

Stored = bytes | memoryview
VIEWS = b"\0view\0"


def records(txn: "lmdb.Transaction") -> Iterator[Stored]:
    """Yield the records of all views."""
    cursor = txn.cursor()
    if cursor.set_range(VIEWS):
        for name, record in cursor:
            if not bytes(name).startswith(VIEWS):
                return
            yield record


@dataclass(frozen=True)
class Record:
    """What LMDB says of a view.

    schema: number of the schema that was last written; event, created: times of the newest row.
    file: name of the file of the last full load; "" = there was none.
    """

    schema: int
    event: int
    created: int
    file: str

    def dump(self) -> bytes:
        """Write as bytes."""
        return STAMP.pack(self.schema, self.event, self.created) + self.file.encode()

    @classmethod
    def load(cls, stored: Stored) -> Self:
        """Read what `dump` wrote."""
        whole = bytes(stored)
        schema, event, created = STAMP.unpack_from(whole)
        return cls(schema, event, created, whole[STAMP.size :].decode())


@dataclass(frozen=True)
class Rest:
    """Rows that stay. names: (n,); blocks: (n,) rows in their order; width: bytes of every row, 0 where they differ."""

    names: list[bytes]
    blocks: Iterable[ArrowArray]
    width: int


class StoredView:
    """A view in a transaction, as long as that lasts.

    record: None where the view was never written.
    Raises `FileNotFoundError` when its file is not there.
    """

    def __init__(self, txn: "lmdb.Transaction", view: str, files: RowFiles) -> None:
        self.txn = txn
        self.view = view
        self.prefix = view.encode() + b"\0"
        self.name = VIEWS + view.encode()
        stored = txn.get(self.name)
        self.record = None if stored is None else Record.load(stored)
        self.file = files.newest(view, self.record.file) if self.record is not None and self.record.file else None

    @property
    def file_name(self) -> str:
        """Name of the file; "" where there is none."""
        return "" if self.record is None else self.record.file

    @property
    def filed(self) -> int:
        """How many rows the file has."""
        return 0 if self.file is None else self.file.count

    @property
    def newest(self) -> tuple[int, int]:
        """Event and created time of the newest row that was ever written."""
        return (NO_TIME, NO_TIME) if self.record is None else (self.record.event, self.record.created)

    def packed(self, names: Sequence[bytes], empty: bytes) -> PackedBytes:
        """(n,) rows of names; `empty` where there is none."""
        get, prefix = self.txn.get, self.prefix
        if self.file is None:
            return PackedBytes.of([get(prefix + name, empty) for name in names])
        recent: dict[int, Stored] = {}
        if self._any_recent():
            found = ((place, get(prefix + name)) for place, name in enumerate(names))
            recent = {place: row for place, row in found if row is not None}
        return self.file.packed(self.file.find(names), empty, recent)

    def times(self, names: Sequence[bytes]) -> np.ndarray:
        """(n, 2) int64 event and created time of the rows of names; `NO_TIME` where there is none."""
        empty = STAMP.pack(0, NO_TIME, NO_TIME)
        times = np.empty((len(names), 2), np.int64)
        for start in range(0, len(names), CHUNK):
            heads = self.packed(names[start : start + CHUNK], empty).heads(STAMP.size)
            times[start : start + CHUNK] = np.ascontiguousarray(heads[:, 8:]).view("<i8").reshape(-1, 2)
        return times

    def recent(self) -> dict[bytes, Stored]:
        """Rows in LMDB, by their names."""
        cursor = self.txn.cursor()
        if not cursor.set_range(self.prefix):
            return {}
        found, start = {}, len(self.prefix)
        for name, row in cursor:
            whole = bytes(name)
            if not whole.startswith(self.prefix):
                break
            found[whole[start:]] = row
        return found

    def clear(self) -> None:
        """Take all rows out of LMDB."""
        for name in self.recent():
            self.txn.delete(self.prefix + name)

    def rest(self, names: Sequence[bytes]) -> Rest:
        """Return the rows that stay when those of names are written."""
        recent, given = self.recent(), set[bytes]()
        if recent:
            given = set(names)
        kept = {name: bytes(row) for name, row in recent.items() if name not in given}
        numbers = np.empty(0, np.int64)
        if self.file is not None:
            stays = np.ones(self.file.count, bool)
            for start in range(0, len(names), CHUNK):
                stays[self._numbers(names[start : start + CHUNK])] = False
            stays[self._numbers(list(recent))] = False
            numbers = np.flatnonzero(stays)
        return self._rest(numbers, kept)

    def forget(self, before: int | None) -> tuple[int, Rest | None]:
        """Take away the rows with an earlier event time from LMDB, all of them without one.

        Returns how many rows go in all, and what is to stay of the file, None where it stays as it is.
        """
        recent = self.recent()
        over = [name for name, row in recent.items() if before is None or STAMP.unpack_from(row)[1] < before]
        for name in over:
            self.txn.delete(self.prefix + name)
        if self.file is None or not self.file.count:
            return len(over), None
        numbers = np.arange(self.file.count)
        goes = np.ones(len(numbers), bool) if before is None else self.file.times(numbers)[:, 0] < before
        hidden = self._numbers(list(recent))
        count = len(over) + int(goes.sum()) - int(goes[hidden].sum())
        return count, self._rest(numbers[~goes], {}) if goes.any() else None

    def count(self) -> int:
        """Count the rows."""
        recent = self.recent()
        filed = 0 if self.file is None else self.file.count - len(self._numbers(list(recent)))
        return len(recent) + filed

    def _rest(self, numbers: np.ndarray, kept: dict[bytes, bytes]) -> Rest:
        widths = {len(row) for row in kept.values()}
        names, blocks = list(kept), [pa.array(kept.values(), pa.large_binary())] if kept else []
        if self.file is None or not len(numbers):
            return Rest(names, blocks, widths.pop() if len(widths) == 1 else 0)
        width = self.file.row_width
        filed = self.file.names(numbers)
        return Rest([*filed, *names], chain(self.file.arrays(numbers), blocks), width if widths <= {width} else 0)

    def _any_recent(self) -> bool:
        cursor = self.txn.cursor()
        return bool(cursor.set_range(self.prefix)) and bytes(cursor.key()).startswith(self.prefix)

    def _numbers(self, names: Sequence[bytes]) -> np.ndarray:
        """Numbers of those rows of the file that have one of the names."""
        if self.file is None or not names:
            return np.empty(0, np.int64)
        places = self.file.find(names)
        return places[places >= 0]
