"""Events of somebody, told to a journal, for tests of the live store."""

import time

from recsys.store.events import Event, EventType
from recsys.store.journal import Journal
from recsys.store.live import Doings, LiveReader, Touch

NOW = round(time.time())
ZONE = "Asia/Shanghai"
DAY = 86_400.0


def level(journal: Journal) -> None:
    while journal.follow(ZONE):
        pass


def event(
    name: str,
    kind: EventType = EventType.VIEW,
    product: str | None = "茶",
    *,
    ago: float = 60,
    member: str | None = "王芳",
    visitor: str | None = None,
    query: str | None = None,
    recommendation: str | None = None,
) -> Event:
    return Event(
        event_id=name,
        type=kind,
        occurred_at=NOW - ago,
        received_at=NOW,
        member_id=member,
        anonymous_id=visitor,
        product_id=product,
        query=query,
        recommendation_id=recommendation,
    )


def did(reader: LiveReader, member: str | None = "王芳", visitor: str | None = None) -> Doings:
    return reader.doings(member, visitor, NOW)


def names(touches: tuple[Touch, ...]) -> list[str]:
    return [touch.product_id for touch in touches]
