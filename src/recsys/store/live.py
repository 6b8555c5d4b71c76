"""What members and visitors did lately and what is in stock, as any process of the machine last told it."""

import struct
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import neg
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import lmdb
import orjson

from recsys.core.errors import ArtifactError
from recsys.store import live_layout as layout
from recsys.store.mapped import environment, identity

LOOK_SECONDS = 0.5
"""So often at most it is looked whether the file was replaced."""

_UNREADABLE = (lmdb.Error, struct.error, ValueError, TypeError, KeyError)


class Touch(NamedTuple):
    """A product somebody had to do with, and when: `at` in UTC seconds since 1970."""

    product_id: str
    at: float


_EMPTY: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Doings:
    """What one member or visitor did lately, newest first, each product once.

    viewed: looked at or clicked, at most 50 of the last 2 days.
    favourites: at most 50 of the last 30 days.
    cart: put there in the last 30 days and not bought since, at most 50.
    bought: at most 200 of the last 30 days.
    queries: searched in the last 2 days, at most 20, each once.
    shown: impressions of each product today, on the mall's day; shown_total: of all.
    """

    viewed: tuple[Touch, ...] = ()
    favourites: tuple[Touch, ...] = ()
    cart: tuple[Touch, ...] = ()
    bought: tuple[Touch, ...] = ()
    queries: tuple[str, ...] = ()
    shown: Mapping[str, int] = field(default_factory=dict)
    shown_total: int = 0


NOTHING = Doings()


class Glance(NamedTuple):
    """What is kept, to be compared and not to be read: while it is the same, doings only grow older.

    stock_version: as `LiveReader.stock_version`. own, other: all of the member and of the visitor; empty = not asked.
    """

    stock_version: int
    own: bytes
    other: bytes


NOTHING_THERE = Glance(0, b"", b"")


class LiveReader:
    """Reads the live store in some microseconds; what any process has written is in the next read.

    A store that is not there yet has nothing in it; one that was replaced is opened anew within half a second.
    `ArtifactError` when it cannot be read. May be used by several threads, but not be carried over a fork.
    """

    def __init__(self, root: Path) -> None:
        self._folder, self._sync = layout.place(root)
        self._env: lmdb.Environment | None = None
        self._file: tuple[int, int] | None = None
        self._looked = float("-inf")
        self._days = layout.MallDays()
        self._stock = _Stock(0, {})

    def doings(self, member_id: str | None, anonymous_id: str | None, now: float) -> Doings:
        """Return what a member, a visitor, or both together did before now (UTC seconds)."""
        if member_id is None and anonymous_id is None:
            return NOTHING
        env = self._opened()
        if env is None:
            return NOTHING
        try:
            with env.begin(buffers=True) as txn:
                today = self._days.number(bytes(txn.get(layout.META_ZONE) or layout.NO_ZONE), now)
                own = NOTHING if member_id is None else _doings(txn, layout.person(member_id, None), today, now)
                if anonymous_id is None:
                    return own
                other = _doings(txn, layout.person(None, anonymous_id), today, now)
        except _UNREADABLE as error:
            raise self._broken(error) from error
        return _together(own, other)

    def glance(self, member_id: str | None, anonymous_id: str | None) -> Glance:
        """Return what tells whether doings or stock changed, for less than reading them."""
        env = self._opened()
        if env is None:
            return NOTHING_THERE
        try:
            with env.begin(buffers=True) as txn:
                version = _number(txn.get(layout.META_STOCK))
                own = b"" if member_id is None else _kept(txn, layout.person(member_id, None))
                other = b"" if anonymous_id is None else _kept(txn, layout.person(None, anonymous_id))
        except _UNREADABLE as error:
            raise self._broken(error) from error
        return Glance(version, own, other)

    def stock_version(self) -> int:
        """Return a number that rises with every change of stock; 0 = none was ever told."""
        env = self._opened()
        if env is None:
            return 0
        try:
            with env.begin() as txn:
                return _number(txn.get(layout.META_STOCK))
        except _UNREADABLE as error:
            raise self._broken(error) from error

    def stock(self, not_before: float = 0.0) -> Mapping[str, float]:
        """Return the pieces left of each product whose stock was told at or after an instant (UTC seconds)."""
        env = self._opened()
        if env is None:
            return {}
        try:
            with env.begin() as txn:
                held = self._stock = self._stock.follow(txn)
        except _UNREADABLE as error:
            raise self._broken(error) from error
        return {product_id: pieces for product_id, (pieces, at) in held.told.items() if at >= not_before}

    def _opened(self) -> "lmdb.Environment | None":
        """Return the environment of the file that stands there, None when there is none."""
        moment = time.monotonic()
        if self._env is not None and moment - self._looked < LOOK_SECONDS:
            return self._env
        file = identity(self._folder)
        if file != self._file or self._env is None:
            self._stock = _Stock(0, {})
            self._env = None if file is None else environment(self._folder, size=layout.SIZE, sync=self._sync)
            self._file = file
        self._looked = moment
        return self._env

    def _broken(self, error: Exception) -> ArtifactError:
        self._env = None
        return ArtifactError(self._folder, f"cannot be read: {error!r}")


@dataclass(frozen=True)
class _Stock:
    """Stock as it was at a version: pieces and UTC seconds of each product."""

    version: int
    told: Mapping[str, tuple[float, float]]

    def follow(self, txn: "lmdb.Transaction") -> "_Stock":
        """Return it as it is now: with the changes since, or read whole where these are no longer kept."""
        latest = _number(txn.get(layout.META_STOCK))
        if latest == self.version:
            return self
        missed = latest - self.version
        since = range(self.version + 1, latest + 1) if self.version and missed <= layout.CHANGES else ()
        steps = [txn.get(layout.change_name(version)) for version in since]
        values: list[list[Any]] = []
        known = [step for step in steps if step is not None]
        if known and len(known) == missed:
            values = [value for step in known for value in orjson.loads(step)]
            return _Stock(latest, {**self.told, **_by_product(values)})
        cursor = txn.cursor()
        found = cursor.set_range(layout.stock_name(""))
        while found and cursor.key()[:1] == b"k":
            values.append(orjson.loads(cursor.value()))
            found = cursor.next()
        return _Stock(latest, _by_product(values))


def _by_product(values: list[list[Any]]) -> dict[str, tuple[float, float]]:
    return {product_id: (pieces, at) for product_id, pieces, at in values}


def _number(value: "bytes | memoryview | None") -> int:
    return 0 if value is None else int(layout.NUMBER.unpack(value)[0])


def _kept(txn: "lmdb.Transaction", who: bytes) -> bytes:
    """Return all that doings are read from, one after the other."""
    return b"\n".join((txn.get(layout.doings_name(who)) or b"", txn.get(layout.shown_name(who)) or b""))


def _doings(txn: "lmdb.Transaction", who: bytes, today: int, now: float) -> Doings:
    did, shown = txn.get(layout.doings_name(who)), txn.get(layout.shown_name(who))
    if did is None and shown is None:
        return NOTHING
    viewed, favourites, cart, bought, queries = orjson.loads(did) if did is not None else _NO_LISTS
    day, counts = orjson.loads(shown) if shown is not None else (today, _EMPTY)
    if day != today:
        counts = _EMPTY
    lately, kept = now - layout.VIEW_SECONDS, now - layout.KEPT_SECONDS
    return Doings(
        _touches(viewed, lately),
        _touches(favourites, kept),
        _touches(cart, kept),
        _touches(bought, kept),
        tuple(queries[0][: _length(queries[1], lately)]),
        counts,
        sum(counts.values()),
    )


_NO_LISTS: list[list[list[Any]]] = [[[], []] for _ in range(5)]


def _touches(lists: list[list[Any]], after: float) -> tuple[Touch, ...]:
    ids, times = lists
    if times and times[-1] <= after:
        length = _length(times, after)
        ids, times = ids[:length], times[:length]
    return tuple(map(Touch._make, zip(ids, times, strict=True)))


def _length(times: list[float], after: float) -> int:
    """Return how many of falling times lie after an instant."""
    return bisect_left(times, -after, key=neg)


def _together(own: Doings, other: Doings) -> Doings:
    """Join what somebody did as a member and as a visitor."""
    if other is NOTHING:
        return own
    if own is NOTHING:
        return other
    bought = _merged(own.bought, other.bought)
    shown = dict(own.shown)
    for product_id, times in other.shown.items():
        shown[product_id] = shown.get(product_id, 0) + times
    return Doings(
        _merged(own.viewed, other.viewed),
        _merged(own.favourites, other.favourites),
        _unbought(_merged(own.cart, other.cart), bought),
        bought,
        tuple(dict.fromkeys((*own.queries, *other.queries))),
        shown,
        own.shown_total + other.shown_total,
    )


def _merged(one: tuple[Touch, ...], other: tuple[Touch, ...]) -> tuple[Touch, ...]:
    if not one or not other:
        return one or other
    by_product: dict[str, Touch] = {}
    for touch in sorted((*one, *other), key=lambda touch: -touch.at):
        by_product.setdefault(touch.product_id, touch)
    return tuple(by_product.values())


def _unbought(cart: tuple[Touch, ...], bought: tuple[Touch, ...]) -> tuple[Touch, ...]:
    last = dict(bought)
    return tuple(touch for touch in cart if last.get(touch.product_id, float("-inf")) < touch.at)
