"""Writes the log first and the live store after it, and makes the live store again from the log."""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import lmdb
from sqlalchemy import Connection, Engine

from recsys.core.errors import ArtifactError
from recsys.store import events as log
from recsys.store import live_layout as layout
from recsys.store import stock as stocks
from recsys.store.events import Appended, Event
from recsys.store.live_fold import Credit, Fold
from recsys.store.live_sweep import Sweep, is_old
from recsys.store.mapped import environment, identity

CHUNK = 2000
"""Events laid over the live store in one transaction when it has fallen behind."""
LEFT_AFTER_SECONDS = 7 * 86_400

_log = logging.getLogger("recsys.store")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of recording events: those that were new, and the credits of these as far as they are known at once."""

    events: tuple[Event, ...]
    credits: tuple[Credit, ...]

    @property
    def accepted(self) -> frozenset[str]:
        """Ids of the events that were new."""
        return frozenset(event.event_id for event in self.events)


class Journal:
    """Records events and stock: durable in the log when a call returns, and then in the live store too.

    Of all journals of a machine one writes at a time, in the order in which the log numbers events, so the live store
    is the log folded from the front. A journal that dies between the two leaves it behind, and `follow` lays over it
    what is missing. Whatever is wrong with the live store never keeps an event from the log. One thread uses a journal;
    it must not be carried over a fork.
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine = engine
        self._root = root
        self._folder, self._sync = layout.place(root)
        self._env: lmdb.Environment | None = None
        self._file: tuple[int, int] | None = None
        self._trouble = ""
        self._swept = Sweep()

    def record(self, events: Sequence[Event], zone: str) -> Recorded:
        """Add the events that are new; an event_id that comes twice counts as its first.

        zone: IANA name of the mall's time zone, in which impressions are counted by day.
        Raises SQLAlchemy's errors when the log cannot be written; then nothing was recorded.
        """
        unique: dict[str, Event] = {}
        for event in events:
            unique.setdefault(event.event_id, event)
        with self._turn() as txn:
            with self._engine.begin() as connection:
                appended = log.append(connection, list(unique.values()))
            owed = self._lay(txn, appended, zone)
        return Recorded(appended.events, owed)

    def restock(self, pieces: Mapping[str, float], at: float) -> int:
        """Set the stock of products, told at an instant (UTC seconds); return the version that has it."""
        with self._turn() as txn:
            with self._engine.begin() as connection:
                change = stocks.tell(connection, pieces, at)
            with self._part(txn) as part:
                if part is not None:
                    self._lay_stock(part)
        return change

    def follow(self, zone: str) -> bool:
        """Bring the live store up to the log, a part at a time; return whether there is more to do.

        A live store that is not of this log is emptied and made from the log's last 30 days.
        """
        if self._level():
            self._sweep()
            return False
        more = False
        with self._turn() as txn, self._part(txn) as part:
            if part is not None:
                with self._engine.connect() as connection:
                    if not _is_of(part, connection):
                        self._begin_anew(part, connection)
                    events = log.after(connection, _mark(part)[0], CHUNK)
                if events:
                    number, last = events[-1]
                    self._fold(part, [event for _, event in events], zone, Mark(number, last.event_id))
                self._lay_stock(part)
                more = len(events) == CHUNK
        return more

    def _level(self) -> bool:
        """Tell whether the live store has all that the log has."""
        env = self._opened()
        if env is None:
            return False
        try:
            with env.begin() as txn, self._engine.connect() as connection:
                level = _mark(txn).number == log.last_number(connection) and _is_of(txn, connection)
                return level and _version(txn) == stocks.last_change(connection)
        except lmdb.Error as error:
            self._fail(error)
            return False

    def _sweep(self) -> None:
        """Take out a few values that nobody asks for any more, and what readers that were killed held on to."""
        if self._env is None:
            return
        try:
            self._env.reader_check()
            with self._env.begin() as txn:
                old = self._swept.step(txn, time.time())
        except lmdb.Error as error:
            self._fail(error)
            return
        if not old:
            return
        with self._turn() as turn, self._part(turn) as part:
            if part is not None:
                for name in old:
                    if is_old(name, part.get(name), time.time()):
                        part.delete(name)

    def _lay(self, txn: "lmdb.Transaction | None", appended: Appended, zone: str) -> tuple[Credit, ...]:
        """Lay new events over the live store when it has all before them; else leave that to `follow`."""
        owed: tuple[Credit, ...] = ()
        with self._part(txn) as part:
            if part is not None and appended.events and _mark(part).number == appended.before:
                owed = self._fold(part, appended.events, zone, Mark(appended.last, appended.events[-1].event_id))
        return owed

    def _fold(self, txn: "lmdb.Transaction", events: Sequence[Event], zone: str, mark: "Mark") -> tuple[Credit, ...]:
        fold = Fold(txn, zone, time.time())
        owed = tuple(credit for event in events if (credit := fold.add(event)) is not None)
        fold.close()
        txn.put(layout.META_ZONE, zone.encode())
        txn.put(layout.META_APPLIED, layout.dump(list(mark)))
        return owed

    def _lay_stock(self, txn: "lmdb.Transaction") -> None:
        """Put all stock there that was told after what the live store has."""
        held = _version(txn)
        with self._engine.connect() as connection:
            change = stocks.last_change(connection)
            told = stocks.changed_after(connection, held if held <= change else 0) if change != held else []
        if change == held:
            return
        values = [[one.product_id, one.pieces, one.told_at] for one in told]
        for one, value in zip(told, values, strict=True):
            txn.put(layout.stock_name(one.product_id), layout.dump(value))
        if change == held + 1:
            txn.put(layout.change_name(change), layout.dump(values))
            txn.delete(layout.change_name(max(change - layout.CHANGES, 0)))
        txn.put(layout.META_STOCK, layout.NUMBER.pack(change))

    def _begin_anew(self, txn: "lmdb.Transaction", connection: Connection) -> None:
        start = log.before_instant(connection, time.time() - layout.KEPT_SECONDS)
        if self._env is not None:
            txn.drop(self._env.open_db(txn=txn), delete=False)
        txn.put(layout.META_FORMAT, layout.FORMAT)
        txn.put(layout.META_APPLIED, layout.dump([start, log.id_of(connection, start) or ""]))
        _log.info("making the live store from the log, from event %d on", start + 1)

    @contextmanager
    def _turn(self) -> "Iterator[lmdb.Transaction | None]":
        """Wait until no other journal of the machine writes; None when there is no live store to wait at.

        The kernel ends the turn of a process that dies.
        """
        env = self._opened()
        try:
            txn = None if env is None else env.begin(write=True)
        except lmdb.Error as error:
            self._fail(error)
            txn = None
        if txn is None:
            yield None
            return
        try:
            yield txn
        except BaseException:
            txn.abort()
            raise
        try:
            txn.commit()
        except lmdb.Error as error:
            self._fail(error)

    @contextmanager
    def _part(self, txn: "lmdb.Transaction | None") -> "Iterator[lmdb.Transaction | None]":
        """Do a part of a turn wholly, or not at all when anything fails: the log has it, and `follow` tries again."""
        if txn is None or self._env is None:
            yield None
            return
        try:
            with self._env.begin(parent=txn, write=True) as part:
                yield part
        except Exception as error:
            self._fail(error)
        else:
            self._trouble = ""

    def _opened(self) -> "lmdb.Environment | None":
        """Return the environment of the file that stands there now, made when there is none; None when it is broken."""
        file = identity(self._folder)
        if self._env is None or file is None or file != self._file:
            try:
                self._env = None
                _remove_left(self._root, self._folder)
                self._env = environment(self._folder, size=layout.SIZE, sync=self._sync)
                self._file = identity(self._folder)
            except (ArtifactError, OSError) as error:
                self._fail(error)
        return self._env

    def _fail(self, error: Exception) -> None:
        """Log what is wrong with the live store, once for as long as it is the same."""
        if repr(error) != self._trouble:
            self._trouble = repr(error)
            _log.error("the live store cannot be written; events go on to the log: %r", error)


class Mark(NamedTuple):
    """The last event that the live store has; `number` is -1 when it never had any, 0 when the log is empty."""

    number: int
    event_id: str


def _remove_left(root: Path, folder: Path) -> None:
    """Remove the files of earlier boots, once nothing was written there for a week."""
    for left in root.glob("*"):
        if left != folder and left.stat().st_mtime < time.time() - LEFT_AFTER_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _mark(txn: "lmdb.Transaction") -> Mark:
    number, event_id = layout.load(txn.get(layout.META_APPLIED)) or (-1, "")
    return Mark(number, event_id)


def _version(txn: "lmdb.Transaction") -> int:
    value = txn.get(layout.META_STOCK)
    return 0 if value is None else int(layout.NUMBER.unpack(value)[0])


def _is_of(txn: "lmdb.Transaction", connection: Connection) -> bool:
    """Tell whether the live store was made from this log, in the present format."""
    number, event_id = _mark(txn)
    if number < 0 or bytes(txn.get(layout.META_FORMAT) or b"") != layout.FORMAT:
        return False
    return (log.id_of(connection, number) or "") == event_id
