"""The live store beside the plain reading of a log: every event looked at again for every question."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.events import Event, EventType
from recsys.store.journal import Journal
from recsys.store.live import Doings, LiveReader, Touch

NOW = float(round(time.time()))
DAY = 86_400.0
ZONE = "UTC"
VIEWS = (EventType.VIEW, EventType.CLICK)


def slowly(events: list[Event], member: str | None, visitor: str | None) -> Doings:
    """Tell of one person who did fewer things than the bounds are."""
    own = [
        event for event in events if event.member_id == member and (member is not None or event.anonymous_id == visitor)
    ]

    def touches(kinds: tuple[EventType, ...], days: int) -> tuple[Touch, ...]:
        last: dict[str, tuple[float, int]] = {}
        for n, event in enumerate(own):
            if event.type in kinds and event.product_id is not None and event.at > NOW - days * DAY:
                last[event.product_id] = max(last.get(event.product_id, (0.0, 0)), (event.at, n))
        return tuple(Touch(product, at) for product, (at, _) in sorted(last.items(), key=lambda one: one[1])[::-1])

    bought = touches((EventType.PURCHASE,), 30)
    last_bought = dict(bought)
    searched: dict[str, tuple[float, int]] = {}
    for n, event in enumerate(own):
        if event.query is not None and event.at > NOW - 2 * DAY:
            searched[event.query] = max(searched.get(event.query, (0.0, 0)), (event.at, n))
    shown: dict[str, int] = {}
    for event in own:
        if event.type is EventType.IMPRESSION and event.product_id is not None and event.at // DAY == NOW // DAY:
            shown[event.product_id] = shown.get(event.product_id, 0) + 1
    return Doings(
        viewed=touches(VIEWS, 2),
        favourites=touches((EventType.FAVOURITE,), 30),
        cart=tuple(one for one in touches((EventType.CART,), 30) if last_bought.get(one.product_id, 0.0) < one.at),
        bought=bought,
        queries=tuple(sorted(searched, key=lambda text: searched[text])[::-1]),
        shown=shown,
        shown_total=sum(shown.values()),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    events = []
    for number in range(draw(st.integers(0, 30))):
        kind = draw(st.sampled_from(list(EventType)))
        ago = draw(st.sampled_from([0, 1, 5, 5, 60, 3600, 30_000, 90_000, 172_799, 172_800, 500_000, 2_592_000]))
        member = draw(st.sampled_from(["m", "长" * 200, None]))
        events.append(
            Event(
                str(number),
                kind,
                NOW - ago,
                NOW - draw(st.sampled_from([0, 0, ago])),
                member,
                draw(st.sampled_from(["v", "m"])) if member is None else draw(st.sampled_from(["v", None])),
                None if kind in (EventType.SEARCH, EventType.CHECK_IN) else draw(st.sampled_from("pqrs")),
                draw(st.sampled_from(["茶", "tea"])) if kind is EventType.SEARCH else None,
                recommendation_id="r" if kind in (EventType.IMPRESSION, EventType.CLICK) else None,
            )
        )
    return events


@settings(max_examples=60, deadline=None)
@given(log=logs(), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_what_is_read_equals_what_the_log_says(
    log: list[Event], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    with database(home.database) as engine:
        journal = Journal(engine, home.live)
        journal.follow(ZONE)
        edges = [0, *sorted(cuts), len(log)]
        for start, end in pairwise(edges):
            if start < end:
                journal.record(log[start:end], ZONE)
    reader = LiveReader(home.live)
    for member in ("m", "长" * 200, "nobody"):
        assert reader.doings(member, None, NOW) == slowly(log, member, None)
    for visitor in ("v", "m"):
        assert reader.doings(None, visitor, NOW) == slowly(log, None, visitor)
