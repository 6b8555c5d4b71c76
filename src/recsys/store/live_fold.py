"""How one event changes what the live store holds of a person: the only code that writes those values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lmdb

from recsys.store import live_layout as layout
from recsys.store.events import Event, EventType

TOUCHES = 50
BOUGHT = 200
QUERIES = 20
SHOWN = 1000
MET = 200

_VIEWED, _FAVOURITES, _CART, _BOUGHT, _QUERIES = range(5)
_LISTS = {
    EventType.VIEW: _VIEWED,
    EventType.CLICK: _VIEWED,
    EventType.FAVOURITE: _FAVOURITES,
    EventType.CART: _CART,
    EventType.PURCHASE: _BOUGHT,
}
_MET = {EventType.CLICK: 0, EventType.IMPRESSION: 2}
"""Where the last one of a product stands among its marks; a purchase is owed to an earlier of these first."""


@dataclass(frozen=True, slots=True)
class Credit:
    """An impression, a click or a purchase, and the recommendation that it is owed to.

    after: what joins a purchase to the recommendation: a click, else an impression, in the 7 days before; a purchase
        that names its recommendation counts as its click.
    """

    event: Event
    recommendation_id: str
    after: EventType


class Fold:
    """Lays events over the values of one write transaction; `close` puts them there.

    zone: IANA name of the mall's time zone, in which impressions are counted by day.
    now: UTC seconds; what is too old to be asked for is left out.
    """

    def __init__(self, txn: "lmdb.Transaction", zone: str, now: float) -> None:
        self._txn = txn
        self._days = layout.MallDays()
        self._zone = zone.encode()
        self._now = now
        self._values: dict[bytes, Any] = {}
        self._changed: set[bytes] = set()

    def add(self, event: Event) -> Credit | None:
        """Lay one event over; events come in the order of their numbers."""
        at, product_id = event.at, event.product_id
        if at <= self._now - layout.KEPT_SECONDS:
            return None
        who = layout.person(event.member_id, event.anonymous_id)
        if event.type is EventType.SEARCH and event.query is not None:
            _touch(self._change(layout.doings_name(who), _no_lists)[_QUERIES], event.query, at, QUERIES)
        if product_id is None:
            return None
        place = _LISTS.get(event.type)
        if place is not None:
            self._do(who, place, product_id, at)
        if event.type is EventType.IMPRESSION:
            self._show(who, product_id, at)
        if event.type is EventType.PURCHASE:
            return self._owed(who, event, product_id, at)
        if event.type in _MET and event.recommendation_id is not None:
            self._meet(who, event.type, product_id, event.recommendation_id, at)
            return Credit(event, event.recommendation_id, event.type)
        return None

    def close(self) -> None:
        """Put all values that were changed into the transaction."""
        for name in self._changed:
            self._txn.put(name, layout.dump(self._values[name]))
        self._values.clear()
        self._changed.clear()

    def _do(self, who: bytes, place: int, product_id: str, at: float) -> None:
        did = self._change(layout.doings_name(who), _no_lists)
        if place == _CART and _last(did[_BOUGHT], product_id) >= at:
            return
        _touch(did[place], product_id, at, BOUGHT if place == _BOUGHT else TOUCHES)
        if place == _BOUGHT and _last(did[_CART], product_id) <= at:
            _drop(did[_CART], product_id)

    def _show(self, who: bytes, product_id: str, at: float) -> None:
        """Count an impression of the person's latest day; what was shown last is kept longest."""
        today = self._days.number(self._zone, at)
        shown = self._change(layout.shown_name(who), _no_day)
        if today < shown[0]:
            return
        if today > shown[0]:
            shown[:] = [today, {}]
        counts = shown[1]
        counts[product_id] = counts.pop(product_id, 0) + 1
        if len(counts) > SHOWN:
            del counts[next(iter(counts))]

    def _meet(self, who: bytes, how: EventType, product_id: str, recommendation_id: str, at: float) -> None:
        met = self._change(layout.met_name(who), dict)
        marks = met.pop(product_id, [None, 0.0, None, 0.0])
        place = _MET[how]
        if at >= marks[place + 1]:
            marks[place : place + 2] = [recommendation_id, at]
        met[product_id] = marks
        if len(met) > MET:
            del met[next(iter(met))]

    def _owed(self, who: bytes, event: Event, product_id: str, at: float) -> Credit | None:
        if event.recommendation_id is not None:
            self._meet(who, EventType.CLICK, product_id, event.recommendation_id, at)
            return Credit(event, event.recommendation_id, EventType.CLICK)
        names = {who, layout.person(None, event.anonymous_id) if event.anonymous_id is not None else who}
        met = [marks for name in names if (marks := self._value(layout.met_name(name), dict).get(product_id))]
        for how, place in _MET.items():
            fit = [
                (marks[place + 1], marks[place]) for marks in met if 0 <= at - marks[place + 1] < layout.CREDIT_SECONDS
            ]
            if fit:
                return Credit(event, max(fit)[1], how)
        return None

    def _value(self, name: bytes, make: Callable[[], Any]) -> Any:
        value = self._values.get(name)
        if value is None:
            value = layout.load(self._txn.get(name))
            self._values[name] = value = make() if value is None else value
        return value

    def _change(self, name: bytes, make: Callable[[], Any]) -> Any:
        self._changed.add(name)
        return self._value(name, make)


def _no_lists() -> list[list[list[Any]]]:
    return [[[], []] for _ in range(5)]


def _no_day() -> list[Any]:
    return [0, {}]


def _touch(lists: list[list[Any]], name: str, at: float, keep: int) -> None:
    """Put a name into lists that are newest first, each name once, and cut them; of equal times the later put leads."""
    names, times = lists
    if name in names:
        if _last(lists, name) > at:
            return
        _drop(lists, name)
    place = 0
    while place < len(times) and times[place] > at:
        place += 1
    names.insert(place, name)
    times.insert(place, at)
    del names[keep:], times[keep:]


def _last(lists: list[list[Any]], name: str) -> float:
    """Return when a name was last touched; long before everything when it was not."""
    names, times = lists
    return float(times[names.index(name)]) if name in names else float("-inf")


def _drop(lists: list[list[Any]], name: str) -> None:
    names, times = lists
    if name in names:
        place = names.index(name)
        del names[place], times[place]
