"""What a member did, newest first: purchases, events and contacts of the publication, and what came in since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import nlargest
from zoneinfo import ZoneInfo

import numpy as np

from recsys.answers.errors import UnknownError
from recsys.answers.member import asker
from recsys.answers.shapes import DESCRIBED, Standing
from recsys.artifacts.facts import DayFacts
from recsys.artifacts.publication import Product, Publication
from recsys.core.time import EPOCH
from recsys.store.live import NOTHING, Doings, Touch


class Kind(StrEnum):
    """What an entry is. The last four came in after the publication, as the mall tells them."""

    PURCHASE = "purchase"
    EVENT = "event"
    CONTACT = "contact"
    LIVE_PURCHASE = "live_purchase"
    LIVE_VIEW = "live_view"
    LIVE_FAVOURITE = "live_favourite"
    LIVE_CART = "live_cart"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a member did, or that was done to reach the member."""

    __pydantic_config__ = DESCRIBED
    kind: Kind
    """What it is."""
    day: str
    """The mall's day."""
    hour: int | None
    """The mall's hour, 0 to 23; null = unknown."""
    event: str | None
    """An event's type, such as `view`."""
    product: Product | None
    """The product; null = none, or one that the publication does not know."""
    quantity: float | None
    """Pieces bought that day."""
    amount: float | None
    """Money paid for them."""
    campaign: str | None
    """A contact's campaign; null = unknown."""
    channel: str | None
    """A contact's channel; null = unknown."""
    format: str | None
    """A contact's content format; null = unknown."""


@dataclass(frozen=True, slots=True)
class BusyDay:
    """A day on which the member bought."""

    __pydantic_config__ = DESCRIBED
    day: str
    """The mall's day."""
    money: float
    """Money paid."""
    products: int
    """Different products."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a member did."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    standing: Standing
    """Opted-out members have nothing below."""
    entries: tuple[Entry, ...]
    """Newest first, at most as many as asked for."""
    total: int
    """So many there are in all."""
    purchase_days: tuple[BusyDay, ...]
    """All days with a purchase that the publication keeps, the oldest first."""
    live: bool
    """Whether it could be told what came in after the publication."""
    as_of: str
    """Up to this day it is what the publication knows."""
    publication: str
    """The publication answered from."""


_Spot = tuple[int, int, Kind, int]
"""Day number, hour (0 when unknown), what it is, and its position among its kind."""


def timeline(publication: Publication, member_id: str, fetch: Callable[[], Doings | None], *, limit: int) -> Timeline:
    """Tell what a member did; `UnknownError` when the member is not known.

    fetch: gives what was done lately, None = it cannot be told; not called for members who opted out.
    """
    who = asker(publication, member_id, personalised=True)
    if who.standing is Standing.UNKNOWN:
        raise UnknownError("member_id", f"{member_id!r} is no known member")
    if who.row is None:
        return _told(publication, member_id, who.standing)
    doings = fetch()
    facts, since = publication.facts, _since(publication, doings or NOTHING)
    spots = [
        *_spots(facts.purchases, Kind.PURCHASE, who.row),
        *_spots(facts.events, Kind.EVENT, who.row),
        *_spots(facts.contacts, Kind.CONTACT, who.row),
        *((day, hour, kind, at) for at, (day, hour, kind, _) in enumerate(since)),
    ]
    empty = _told(publication, member_id, who.standing)
    return replace(
        empty,
        entries=tuple(_entry(publication, spot, since) for spot in nlargest(limit, spots)),
        total=len(spots),
        purchase_days=_busy(publication, who.row),
        live=doings is not None,
    )


def _told(publication: Publication, member_id: str, standing: Standing) -> Timeline:
    return Timeline(
        member_id,
        standing,
        entries=(),
        total=0,
        purchase_days=(),
        live=True,
        as_of=str(publication.as_of),
        publication=publication.name,
    )


def _entry(publication: Publication, spot: _Spot, since: "list[_Since]") -> Entry:
    day, hour, kind, at = spot
    if kind is Kind.PURCHASE:
        return _purchase(publication, day, hour, at)
    if kind is Kind.EVENT:
        return _event(publication, day, hour, at)
    if kind is Kind.CONTACT:
        return _contact(publication, day, at)
    row = publication.products.row(since[at][3])
    about = None if row is None else publication.product(row)
    return Entry(kind, _day(day), hour, None, about, None, None, None, None, None)


def _purchase(publication: Publication, day: int, hour: int, at: int) -> Entry:
    columns = publication.facts.purchases.columns
    product = publication.product(int(columns["product"][at]))
    paid = float(columns["quantity"][at]), float(columns["amount"][at])
    return Entry(Kind.PURCHASE, _day(day), hour, None, product, *paid, None, None, None)


def _event(publication: Publication, day: int, hour: int, at: int) -> Entry:
    facts = publication.facts
    product = int(facts.events.columns["product"][at])
    event = facts.event_types[int(facts.events.columns["type"][at])]
    about = publication.product(product) if product >= 0 else None
    return Entry(Kind.EVENT, _day(day), hour, event, about, None, None, None, None, None)


def _contact(publication: Publication, day: int, at: int) -> Entry:
    facts = publication.facts
    names = {"campaign": facts.campaigns, "channel": facts.channels, "format": facts.formats}
    places = {name: int(facts.contacts.columns[name][at]) for name in names}
    told = (names[name][place] if place >= 0 else None for name, place in places.items())
    return Entry(Kind.CONTACT, _day(day), None, None, None, None, None, *told)


_Since = tuple[int, int, Kind, str]
"""Day number, hour, kind and product of what came in since the publication."""


def _since(publication: Publication, doings: Doings) -> list[_Since]:
    kinds: tuple[tuple[Kind, tuple[Touch, ...]], ...] = (
        (Kind.LIVE_VIEW, doings.viewed),
        (Kind.LIVE_FAVOURITE, doings.favourites),
        (Kind.LIVE_CART, doings.cart),
        (Kind.LIVE_PURCHASE, doings.bought),
    )
    known, zone = publication.as_of.instant.timestamp(), ZoneInfo(publication.as_of.zone)
    found: list[_Since] = []
    for kind, touches in kinds:
        for product_id, moment in touches:
            if moment >= known:
                then = datetime.fromtimestamp(moment, UTC).astimezone(zone)
                found.append(((then.date() - EPOCH).days, then.hour, kind, product_id))
    return found


def _busy(publication: Publication, row: int) -> tuple[BusyDay, ...]:
    facts = publication.facts.purchases
    at = facts.of_member(row)
    days, place = np.unique(facts.day(at), return_inverse=True)
    money = np.bincount(place, weights=facts.columns["amount"][at], minlength=len(days))
    products = np.bincount(place, minlength=len(days))
    told = zip(days.tolist(), money.tolist(), products.tolist(), strict=True)
    return tuple(BusyDay(_day(day), paid, n) for day, paid, n in told)


def _spots(facts: DayFacts, kind: Kind, row: int) -> Iterator[_Spot]:
    at = facts.of_member(row)
    hours = facts.columns["hour"][at].tolist() if "hour" in facts.columns else [0] * len(at)
    for day, hour, position in zip(facts.day(at).tolist(), hours, at.tolist(), strict=True):
        yield day, hour, kind, position


def _day(number: int) -> str:
    return str(EPOCH + timedelta(days=number))
