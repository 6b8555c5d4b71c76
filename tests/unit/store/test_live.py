import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from recsys.core.config import Home
from recsys.core.errors import ArtifactError
from recsys.store import live, live_layout
from recsys.store.events import Event, EventType
from recsys.store.journal import Journal
from recsys.store.live import NOTHING, LiveReader, Touch
from tests.unit.store.made import DAY, NOW, ZONE, did, event, level, names


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def journal(engine: Engine, home: Home) -> Journal:
    journal = Journal(engine, home.live)
    level(journal)
    return journal


@pytest.fixture
def reader(home: Home) -> LiveReader:
    return LiveReader(home.live)


def test_a_store_that_is_not_there_has_nothing_in_it(reader: LiveReader) -> None:
    assert did(reader) is NOTHING
    assert reader.doings(None, None, NOW) is NOTHING
    assert (reader.stock_version(), reader.stock()) == (0, {})


def test_what_was_done_is_read_newest_first_and_each_product_once(journal: Journal, reader: LiveReader) -> None:
    assert did(reader) == NOTHING
    journal.record([event("1", product="a", ago=30), event("2", product="b", ago=20)], ZONE)
    assert did(reader).viewed == (Touch("b", NOW - 20), Touch("a", NOW - 30))
    journal.record([event("3", product="a", ago=10), event("4", product="c", ago=25)], ZONE)
    assert names(did(reader).viewed) == ["a", "b", "c"]
    journal.record([event("5", product="a", ago=90)], ZONE)
    assert did(reader).viewed[0] == Touch("a", NOW - 10)
    assert did(reader, "someone else") == NOTHING


def test_each_kind_has_its_place(journal: Journal, reader: LiveReader) -> None:
    kinds = [EventType.CLICK, EventType.FAVOURITE, EventType.CART, EventType.PURCHASE, EventType.SHARE]
    journal.record([event(kind, kind, kind) for kind in kinds], ZONE)
    journal.record([event("q1", EventType.SEARCH, None, query="奶粉"), event("in", EventType.CHECK_IN, None)], ZONE)
    journal.record([event("q2", EventType.SEARCH, None, query="tea", ago=5)], ZONE)
    got = did(reader)
    assert (names(got.viewed), names(got.favourites), names(got.cart), names(got.bought)) == (
        ["click"],
        ["favourite"],
        ["cart"],
        ["purchase"],
    )
    assert got.queries == ("tea", "奶粉")
    assert (got.shown, got.shown_total) == ({}, 0)


def test_an_event_counts_once_however_often_it_comes(journal: Journal, reader: LiveReader) -> None:
    shown = event("1", EventType.IMPRESSION, recommendation="r")
    first = journal.record([shown, shown, event("2", EventType.IMPRESSION, "b", recommendation="r")], ZONE)
    again = journal.record([shown, event("3", product="b")], ZONE)
    assert [sorted(one.accepted) for one in (first, again)] == [["1", "2"], ["3"]]
    assert (did(reader).shown, did(reader).shown_total) == ({"茶": 1, "b": 1}, 2)


def test_a_purchase_takes_the_product_out_of_the_cart_in_whatever_order_the_two_are_told(
    journal: Journal, reader: LiveReader
) -> None:
    journal.record([event("1", EventType.CART, "a", ago=30), event("2", EventType.PURCHASE, "a", ago=20)], ZONE)
    journal.record([event("3", EventType.PURCHASE, "b", ago=20), event("4", EventType.CART, "b", ago=30)], ZONE)
    assert did(reader).cart == ()
    journal.record([event("5", EventType.CART, "a", ago=10)], ZONE)
    assert names(did(reader).cart) == ["a"]


def test_what_is_long_ago_is_no_longer_told(journal: Journal, reader: LiveReader) -> None:
    journal.record(
        [
            event("1", product="a", ago=2 * DAY),
            event("2", product="b", ago=2 * DAY - 1),
            event("3", EventType.PURCHASE, "c", ago=30 * DAY),
            event("4", EventType.PURCHASE, "d", ago=29 * DAY),
            event("5", EventType.SEARCH, None, query="x", ago=2 * DAY),
        ],
        ZONE,
    )
    got = did(reader)
    assert (names(got.viewed), names(got.bought), got.queries) == (["b"], ["d"], ())


def test_lists_are_bounded(journal: Journal, reader: LiveReader) -> None:
    journal.record([event(f"v{n}", product=f"p{n}", ago=n) for n in range(70)], ZONE)
    journal.record([event(f"b{n}", EventType.PURCHASE, f"p{n}", ago=n) for n in range(230)], ZONE)
    got = did(reader)
    assert names(got.viewed) == [f"p{n}" for n in range(50)]
    assert len(got.bought) == 200


def test_impressions_are_counted_by_the_malls_day(journal: Journal, home: Home) -> None:
    midnight = datetime(2025, 3, 31, 16, tzinfo=UTC).timestamp()  # 1 April in Shanghai
    told = [
        Event(str(n), EventType.IMPRESSION, at, at, "m", product_id="a", recommendation_id="r")
        for n, at in enumerate([midnight - 2, midnight - 1, midnight, midnight + 5])
    ]
    reader = LiveReader(home.live)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.store.journal.time.time", lambda: midnight)
        journal.record(told[:2], ZONE)
        assert reader.doings("m", None, midnight - 1).shown == {"a": 2}
        assert reader.doings("m", None, midnight).shown == {}
        journal.record(told[2:], ZONE)
    assert reader.doings("m", None, midnight + 10).shown == {"a": 2}


def test_what_was_done_before_signing_in_counts_too_and_stays_with_the_visitor(
    journal: Journal, reader: LiveReader
) -> None:
    journal.record(
        [
            event("1", product="a", ago=30, member=None, visitor="v"),
            event("2", EventType.CART, "c", ago=30, member=None, visitor="v"),
            event("3", product="b", ago=20, visitor="v"),
            event("4", EventType.PURCHASE, "c", ago=10, visitor="v"),
            event("5", EventType.IMPRESSION, "a", member=None, visitor="v", recommendation="r"),
            event("6", EventType.IMPRESSION, "a", visitor="v", recommendation="r"),
        ],
        ZONE,
    )
    both = did(reader, visitor="v")
    assert (names(both.viewed), names(both.cart), names(both.bought)) == (["b", "a"], [], ["c"])
    assert (both.shown, both.shown_total) == ({"a": 2}, 2)
    assert names(did(reader, None, "v").viewed) == ["a"]
    assert names(did(reader).viewed) == ["b"]
    assert did(reader, "nobody", "v") == did(reader, None, "v")


def test_a_time_that_lies_ahead_counts_as_now(journal: Journal, reader: LiveReader) -> None:
    journal.record([event("1", ago=-3000)], ZONE)
    assert did(reader).viewed == (Touch("茶", NOW),)


def test_long_ids_are_told_apart(journal: Journal, reader: LiveReader) -> None:
    one, other = "长" * 256, "长" * 255 + "短"
    journal.record([event("1", product=one, member=one), event("2", product="x", member=other)], ZONE)
    assert (names(did(reader, one).viewed), names(did(reader, other).viewed)) == ([one], ["x"])


def test_a_reader_follows_a_store_that_was_replaced(
    journal: Journal, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.0)
    reader = LiveReader(home.live)
    journal.record([event("1")], ZONE)
    journal.restock({"a": 1}, NOW)
    assert names(did(reader).viewed) == ["茶"]
    shutil.rmtree(home.live)
    assert did(reader) is NOTHING
    level(journal)
    assert names(did(reader).viewed) == ["茶"]
    assert reader.stock() == {"a": 1}


@pytest.mark.parametrize("harm", [b"not json", b"[1]", b"[[],[],[],[],[]]"])
def test_a_value_that_cannot_be_read_is_told(journal: Journal, home: Home, harm: bytes, reader: LiveReader) -> None:
    journal.record([event("1")], ZONE)
    assert did(reader).viewed
    env = journal._env
    assert env is not None
    with env.begin(write=True) as txn:
        txn.put(live_layout.doings_name(live_layout.person("王芳", None)), harm)
    with pytest.raises(ArtifactError):
        did(reader)
