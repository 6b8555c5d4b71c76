"""The service's online rows in a Redis that is well, hangs, or is gone."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from redis import Redis

from recsys.core.errors import ConfigError
from recsys.store.packed_redis import PackedRedisStore
from serving.breaker import DEADLINE_SECONDS
from serving.online import ABSENT, NO_ROW, STALE, UNREADABLE, OnlineRows
from tests.redis_server import RedisServer

AT = datetime(2025, 4, 1, 8, tzinfo=UTC)


class Told:
    """Keeps what it is told of stores."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []

    def store(self, name: str, *, usable: bool) -> None:
        self.heard.append((name, usable))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def online(redis: RedisServer, told: Told) -> Iterator[OnlineRows]:
    with Redis.from_url(redis.url) as client:
        client.flushall()
    rows = OnlineRows(redis.url, told)
    yield rows
    rows.stop()


def fill(redis: RedisServer, points: float) -> None:
    row = pa.Table.from_pylist([{"member_id": "a", "points": points, "city": "上海", "event_timestamp": AT}])
    PackedRedisStore(redis.url).write("member", row, keys=["member_id"], event="event_timestamp")


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def points(online: OnlineRows) -> object:
    row, _ = online.read("a", AT)
    return None if row is None else row.values["points"]


def test_rows_are_read_and_their_age_is_held(redis: RedisServer, online: OnlineRows) -> None:
    assert online.read("a", AT) == (None, ABSENT)
    fill(redis, 1)
    row, note = online.read("a", AT)
    assert note is None
    assert row is not None
    assert (row.source, row.timestamp) == ("online", "2025-04-01T08:00:00+00:00")
    assert row.values == {"points": 1.0, "city": "上海"}
    assert online.read("b", AT) == (None, NO_ROW)
    assert online.read("a", AT + timedelta(seconds=1)) == (None, STALE)
    fill(redis, 2)
    assert points(online) == 2.0


def test_while_redis_is_gone_reads_come_back_bare_at_once_and_recover(
    redis: RedisServer, online: OnlineRows, told: Told
) -> None:
    fill(redis, 1)
    assert points(online) == 1.0
    redis.stop()
    try:
        assert online.read("a", AT) == (None, UNREADABLE)
        assert online.trouble is not None
        assert "127.0.0.1" not in online.trouble
        began = time.perf_counter()
        for _ in range(100):
            assert online.read("a", AT) == (None, UNREADABLE)
        assert time.perf_counter() - began < 100 * DEADLINE_SECONDS
    finally:
        redis.start()
    fill(redis, 3)
    until(lambda: points(online) == 3.0)
    assert told.heard == [("online", False), ("online", True)]


def test_a_redis_that_hangs_is_waited_for_no_longer_than_the_deadline(
    redis: RedisServer, online: OnlineRows, told: Told
) -> None:
    fill(redis, 1)
    assert points(online) == 1.0
    with redis.held():
        began = time.perf_counter()
        for _ in range(20):
            assert online.read("a", AT) == (None, UNREADABLE)
        assert time.perf_counter() - began < 20 * DEADLINE_SECONDS
    until(lambda: points(online) == 1.0)
    assert told.heard == [("online", False), ("online", True)]


def test_a_url_that_is_none_is_refused_at_the_start(told: Told) -> None:
    with pytest.raises(ConfigError, match="RECSYS_ONLINE_URL"):
        OnlineRows("localhost:6379", told)
