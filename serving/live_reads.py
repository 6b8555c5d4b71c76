"""What the live store says, for an answer: at once, or not at all."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Protocol

from recsys.store.live import Doings, Glance
from serving.breaker import DEADLINE_SECONDS, LATE, Breaker, StoreWatcher

GONE = "its file is gone"

Stock = Mapping[str, float]
NO_STOCK: Stock = MappingProxyType({})


class Reader(Protocol):
    """What is read: `recsys.store.live.LiveReader`."""

    def doings(self, member_id: str | None, anonymous_id: str | None, now: float) -> Doings:
        """Return what somebody did lately."""
        ...

    def glance(self, member_id: str | None, anonymous_id: str | None) -> Glance:
        """Return what tells whether doings or stock changed."""
        ...

    def stock_version(self) -> int:
        """Return a number that rises with every change of stock."""
        ...

    def stock(self, not_before: float = 0.0) -> Stock:
        """Return the pieces left of each product told of since an instant."""
        ...


class LiveReads:
    """Reads the live store on the request's own thread, as a read of mapped memory takes microseconds.

    A read that fails, or took longer than the deadline, is the last one until the store is well again. So is the loss
    of a file that was there; one that never was is an empty store.
    """

    def __init__(self, reader: Reader, path: Path, watcher: StoreWatcher) -> None:
        self._reader = reader
        self._path = path
        self._breaker = Breaker("live", self._probe, watcher)
        self._seen = False
        self._stock: tuple[int, float, Stock] = (0, 0.0, NO_STOCK)

    @property
    def trouble(self) -> str | None:
        """Why the store is not read; None = it is."""
        return self._breaker.reason

    def doings(self, member_id: str | None, anonymous_id: str | None, now: float) -> Doings | None:
        """Return what a member or visitor did lately; None = it cannot be told."""
        if self._breaker.reason is not None:
            return None
        began = perf_counter()
        try:
            found = self._reader.doings(member_id, anonymous_id, now)
        except Exception as error:
            self._breaker.trip(f"cannot be read: {type(error).__name__}", error)
            return None
        if perf_counter() - began > DEADLINE_SECONDS:
            self._breaker.trip(LATE)
        return found

    def glance(self, member_id: str | None, anonymous_id: str | None) -> Glance | None:
        """Return what tells whether doings or stock changed; None = it cannot be told."""
        if self._breaker.reason is not None:
            return None
        began = perf_counter()
        try:
            seen = self._reader.glance(member_id, anonymous_id)
        except Exception as error:
            self._breaker.trip(f"cannot be read: {type(error).__name__}", error)
            return None
        if perf_counter() - began > DEADLINE_SECONDS:
            self._breaker.trip(LATE)
        return seen

    def version(self, stock: Stock) -> int | None:
        """Return the version of a stock that was read, None when it is not the latest that was."""
        return self._stock[0] if stock is self._stock[2] else None

    def stock(self, not_before: float) -> Stock:
        """Return the pieces left of products told of since an instant; the last known while the store is not read.

        The same object comes back as long as nothing changed.
        """
        version, since, told = self._stock
        if self._breaker.reason is not None:
            return told if since == not_before else NO_STOCK
        began = perf_counter()
        try:
            now = self._reader.stock_version()
            if (now, not_before) != (version, since):
                told = self._reader.stock(not_before) if now else NO_STOCK
                self._stock = now, not_before, told
        except Exception as error:
            self._breaker.trip(f"cannot be read: {type(error).__name__}", error)
            return told if since == not_before else NO_STOCK
        if perf_counter() - began > DEADLINE_SECONDS:
            self._breaker.trip(LATE)
        return told

    def look(self) -> None:
        """Look whether the file is still there."""
        there = self._path.exists()
        if self._seen and not there:
            self._breaker.trip(GONE)
        self._seen = self._seen or there

    def stop(self) -> None:
        """End the trying."""
        self._breaker.stop()

    def _probe(self) -> None:
        if self._seen and not self._path.exists():
            raise FileNotFoundError
        self._reader.stock_version()
        self._reader.doings("", None, 0.0)
