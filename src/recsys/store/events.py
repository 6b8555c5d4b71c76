"""The log of events: what members and visitors did, as the mall told it, each event once, in the order of arrival."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Row, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from recsys.store.database import Base

MICROS = 1_000_000
AHEAD_SECONDS = 3600.0
"""An event may have happened so much later than it was received, by the clock of who reports it."""
LOCK = 0x7265_6373
"""Key of the lock under which Postgres numbers events, so that numbers rise in the order of commits."""


class EventType(StrEnum):
    """What was done."""

    VIEW = "view"
    SEARCH = "search"
    FAVOURITE = "favourite"
    CART = "cart"
    PURCHASE = "purchase"
    CHECK_IN = "check_in"
    SHARE = "share"
    IMPRESSION = "impression"
    CLICK = "click"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a member or a visitor did; at least one of the two is known.

    occurred_at, received_at: UTC seconds since 1970 in whole microseconds, by the clock of who reports and by ours.
    product_id: with which product. query: what was searched. placement: where in the mall.
    recommendation_id: the answer that brought it about.
    quantity, amount: of a purchase, pieces and the money paid for them; None = not told.
    """

    event_id: str
    type: EventType
    occurred_at: float
    received_at: float
    member_id: str | None = None
    anonymous_id: str | None = None
    product_id: str | None = None
    query: str | None = None
    placement: str | None = None
    recommendation_id: str | None = None
    order_id: str | None = None
    quantity: float | None = None
    amount: float | None = None

    @property
    def at(self) -> float:
        """When it happened, as far as can be believed: never after it was received."""
        return min(self.occurred_at, self.received_at)


def _number() -> MappedColumn[int]:
    return mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


class EventRow(Base):
    """One event as it is stored; rows are only ever added. Times are whole microseconds."""

    __tablename__ = "events"

    number: Mapped[int] = _number()
    event_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    occurred_at: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[str | None]
    anonymous_id: Mapped[str | None]
    product_id: Mapped[str | None]
    query: Mapped[str | None]
    placement: Mapped[str | None]
    recommendation_id: Mapped[str | None]
    order_id: Mapped[str | None]
    quantity: Mapped[float | None]
    amount: Mapped[float | None]


_COLUMNS = tuple(EventRow.__table__.columns)


@dataclass(frozen=True, slots=True)
class Appended:
    """What came of adding events.

    before: number of the last event that was there before; last: of the last one now.
    events: those that were new, by rising number.
    """

    before: int
    last: int
    events: tuple[Event, ...]


def append(connection: Connection, events: Sequence[Event]) -> Appended:
    """Add the events whose event_id is new, within the connection's transaction; durable when that is committed.

    events: each event_id once. Until the transaction ends, nobody else can add any.
    """
    in_turn(connection)
    before = last_number(connection)
    if not events:
        return Appended(before, before, ())
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(EventRow).on_conflict_do_nothing(index_elements=["event_id"])
    rows = connection.execute(
        statement.returning(EventRow.number, EventRow.event_id), [_row(event) for event in events]
    )
    numbers = {event_id: number for number, event_id in rows}
    added = sorted((event for event in events if event.event_id in numbers), key=lambda event: numbers[event.event_id])
    return Appended(before, max(numbers.values(), default=before), tuple(added))


def in_turn(connection: Connection) -> None:
    """Wait until no other transaction adds to the log, and hold it until this one ends; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def last_number(connection: Connection) -> int:
    """Return the number of the last event, 0 when there is none."""
    return connection.execute(select(func.max(EventRow.number))).scalar() or 0


def id_of(connection: Connection, number: int) -> str | None:
    """Return the event_id that has a number, None when there is none."""
    return connection.execute(select(EventRow.event_id).where(EventRow.number == number)).scalar()


def after(connection: Connection, number: int, limit: int) -> list[tuple[int, Event]]:
    """Return the next events after a number, oldest first, each with its own number."""
    rows = connection.execute(select(*_COLUMNS).where(EventRow.number > number).order_by(EventRow.number).limit(limit))
    return [(row[0], _event(row)) for row in rows]


def before_instant(connection: Connection, instant: float) -> int:
    """Return a number such that every event after it was received at or after an instant, or little before; 0 = all.

    Numbers rise with the time of arrival but for the clocks of several machines, so halving finds it without an index.
    """
    micros = round(instant * MICROS)
    low, high = 0, last_number(connection)
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(
            select(EventRow.number, EventRow.received_at)
            .where(EventRow.number > middle)
            .order_by(EventRow.number)
            .limit(1)
        ).one()
        if found.received_at >= micros:
            high = middle
        else:
            low = found.number
    return low


def received_from(connection: Connection, instant: float, chunk: int = 10_000) -> Iterator[list[Event]]:
    """Yield all events received since an instant, about, oldest first, in parts of at most `chunk`."""
    number = before_instant(connection, instant)
    while part := after(connection, number, chunk):
        number = part[-1][0]
        yield [event for _, event in part]


def _row(event: Event) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "type": event.type.value,
        "occurred_at": round(event.occurred_at * MICROS),
        "received_at": round(event.received_at * MICROS),
        "member_id": event.member_id,
        "anonymous_id": event.anonymous_id,
        "product_id": event.product_id,
        "query": event.query,
        "placement": event.placement,
        "recommendation_id": event.recommendation_id,
        "order_id": event.order_id,
        "quantity": event.quantity,
        "amount": event.amount,
    }


def _event(row: "Row[Any]") -> Event:
    _, event_id, kind, occurred_at, received_at, *others = tuple(row)
    return Event(event_id, EventType(kind), occurred_at / MICROS, received_at / MICROS, *others)
