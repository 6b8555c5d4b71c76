"""Attribution, done slowly: one event after the other, with nothing but lists."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.answers.attribution import Attributed, Share, attribute
from recsys.answers.identity import make, parse
from recsys.core.time import AsOf, Window
from recsys.store.events import Event, EventType

ZONE = "Asia/Shanghai"
PERIOD = Window.after(AsOf(date(2025, 3, 10), ZONE), days=7)
START = PERIOD.start.instant.timestamp()
DAY = 86_400.0
SOURCES = [("home", "a", "1"), ("home", "b", "1"), ("购物车", "a", "2"), ("cart", "a", None)]
IDS = [make(placement, variant, "2025-03-09-x", version) for placement, variant, version in SOURCES for _ in range(2)]


@dataclass
class Meeting:
    recommendation: str
    product: str
    began: float
    clicked: bool = False
    after_click: list[float] = field(default_factory=list)
    after_view: list[float] = field(default_factory=list)


def slowly(events: list[Event], window_days: int) -> list[Attributed]:
    window = window_days * DAY
    touches = sorted(
        ((event.at, n, event) for n, event in enumerate(events) if is_touch(event)), key=lambda touch: touch[:2]
    )
    meetings: list[Meeting] = []
    of_touch: dict[int, Meeting] = {}
    last: dict[tuple[str, str], tuple[float, Meeting]] = {}
    for at, n, event in touches:
        assert event.recommendation_id is not None
        assert event.product_id is not None
        pair = (event.recommendation_id, event.product_id)
        if pair not in last or at - last[pair][0] >= window:
            meetings.append(Meeting(*pair, at))
            last[pair] = (at, meetings[-1])
        meeting = last[pair][1]
        last[pair] = (at, meeting)
        meeting.clicked |= event.type is not EventType.IMPRESSION
        of_touch[n] = meeting
    for event in events:
        if event.type is not EventType.PURCHASE:
            continue
        own = [
            (touch.type is not EventType.IMPRESSION, at, n)
            for at, n, touch in touches
            if touch.product_id == event.product_id and same(touch, event) and at <= event.at < at + window
        ]
        if own:
            click, _, n = max(own)
            bought = of_touch[n].after_click if click else of_touch[n].after_view
            bought.append(event.amount or 0.0)
    groups: dict[tuple[str, str, str | None], list[Meeting]] = defaultdict(list)
    end = PERIOD.end.instant.timestamp()
    for meeting in meetings:
        if START <= meeting.began < end:
            told = parse(meeting.recommendation)
            groups[told.placement, told.variant, told.model_version].append(meeting)
    return [
        Attributed(
            *source,
            shown=len(group),
            clicked=sum(one.clicked for one in group),
            bought=sum(bool(one.after_click) for one in group),
            purchases=sum(len(one.after_click) for one in group),
            purchases_seen=sum(len(one.after_view) for one in group),
            money=sum(sum(one.after_click) for one in group),
            money_seen=sum(sum(one.after_view) for one in group),
        )
        for source, group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or ""))
    ]


def is_touch(event: Event) -> bool:
    return event.recommendation_id is not None and event.type in (
        EventType.IMPRESSION,
        EventType.CLICK,
        EventType.PURCHASE,
    )


def same(touch: Event, purchase: Event) -> bool:
    if touch.member_id is not None:
        return touch.member_id == purchase.member_id
    return touch.anonymous_id == purchase.anonymous_id


def made(draw: st.DrawFn, number: int) -> Event:
    kind = draw(st.sampled_from([EventType.IMPRESSION, EventType.CLICK, EventType.PURCHASE, EventType.VIEW]))
    member, visitor = draw(st.sampled_from([("m", None), ("m", "v"), (None, "v"), ("n", "v"), ("n", None)]))
    hours = draw(st.integers(-3 * 24, 12 * 24))
    needed = kind in (EventType.IMPRESSION, EventType.CLICK)
    return Event(
        event_id=str(number),
        type=kind,
        occurred_at=START + hours * 3600,
        received_at=START + hours * 3600 + draw(st.sampled_from([-60, 0, 600])),
        member_id=member,
        anonymous_id=visitor,
        product_id=draw(st.sampled_from(["p", "q"])),
        recommendation_id=draw(st.sampled_from(IDS)) if needed or draw(st.integers(0, 4)) == 0 else None,
        amount=draw(st.sampled_from([None, 1.0, 2.5, 40.0])) if kind is EventType.PURCHASE else None,
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    return [made(draw, number) for number in range(draw(st.integers(0, 40)))]


@settings(max_examples=60, deadline=None)
@given(log=logs(), window_days=st.sampled_from([1, 3]), cut=st.integers(0, 40))
def test_the_join_equals_the_slow_one(log: list[Event], window_days: int, cut: int) -> None:
    assert list(attribute([log[:cut], log[cut:]], PERIOD, window_days=window_days)) == slowly(log, window_days)


@settings(max_examples=30, deadline=None)
@given(log=logs())
def test_no_meeting_and_no_purchase_is_told_in_two_periods(log: list[Event]) -> None:
    early = Window.after(PERIOD.start.plus(days=-4), days=4)
    late = Window.after(PERIOD.end, days=10)
    whole = Window(early.start, late.end)

    def totals(period: Window) -> tuple[int, int, int, int, float]:
        rows = attribute([log], period, window_days=2)
        return (
            sum(row.shown for row in rows),
            sum(row.clicked for row in rows),
            sum(row.purchases for row in rows),
            sum(row.purchases_seen for row in rows),
            sum(row.money + row.money_seen for row in rows),
        )

    parts = [totals(period) for period in (early, PERIOD, late)]
    assert tuple(map(sum, zip(*parts, strict=True))) == pytest.approx(totals(whole))
    purchases = sum(event.type is EventType.PURCHASE for event in log)
    assert totals(whole)[2] + totals(whole)[3] <= purchases


def event(number: int, kind: EventType, hours: float, recommendation: str | None = None, **changes: float) -> Event:
    at = START + hours * 3600
    return Event(str(number), kind, at, at, "m", None, "p", recommendation_id=recommendation, **changes)  # type: ignore[arg-type]


def test_a_purchase_is_owed_to_the_last_click_and_to_an_impression_only_without_one() -> None:
    home, cart = IDS[0], IDS[4]
    log = [
        event(0, EventType.CLICK, 1, home),
        event(1, EventType.IMPRESSION, 2, cart),
        event(2, EventType.PURCHASE, 3, amount=7.0),
    ]
    by_place = {row.placement: row for row in attribute([log], PERIOD, window_days=7)}
    assert (by_place["home"].purchases, by_place["home"].money) == (1, 7.0)
    assert (by_place["购物车"].purchases, by_place["购物车"].purchases_seen) == (0, 0)
    assert by_place["home"].conversion.value == 1.0
    (seen,) = attribute([log[1:]], PERIOD, window_days=7)
    assert (seen.purchases, seen.purchases_seen, seen.money_seen, seen.bought) == (0, 1, 7.0, 0)


@pytest.mark.parametrize(("hours", "owed"), [(0, 1), (23.99, 1), (24, 0)])
def test_the_window_is_half_open(hours: float, owed: int) -> None:
    log = [event(0, EventType.CLICK, 1, IDS[0]), event(1, EventType.PURCHASE, 1 + hours, amount=1.0)]
    (row,) = attribute([log], PERIOD, window_days=1)
    assert row.purchases == owed


def test_nothing_brings_nothing() -> None:
    assert attribute([], PERIOD, window_days=7) == ()
    assert Share.of(0, 0) == Share(None, None, None)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"), [(0, 10, 0.0, 0.27754), (5, 10, 0.23659, 0.76341), (81, 263, 0.25529, 0.36623)]
)
def test_wilson_intervals(part: int, whole: int, low: float, high: float) -> None:
    """The last is of Newcombe, Statistics in Medicine 1998, table I: 81 of 263, 0.2553 to 0.3662."""
    share = Share.of(part, whole)
    assert share.low is not None
    assert share.high is not None
    assert math.isclose(share.low, low, abs_tol=5e-5)
    assert math.isclose(share.high, high, abs_tol=5e-5)
