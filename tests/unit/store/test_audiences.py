import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from recsys.core.errors import RequestError
from recsys.store.audiences import Draft, Standing, add_version, end, live, newest, owner_of_name, versions

AT = datetime(2025, 3, 31, 8, tzinfo=UTC)
DRAFT = Draft(
    "a1",
    "待回购",
    AT,
    "王芳",
    AT + timedelta(days=14),
    {"spec": {"rule": {"all": []}}},
    {"publication": "p"},
    {"members": 3},
    {"csv": {"all": 10}},
    "d" * 64,
)


def nothing(_: Connection, __: int) -> None:
    """Put no package in place."""


def test_versions_are_numbered_and_come_back_whole(engine: Engine) -> None:
    first = add_version(engine, DRAFT, nothing, new=True)
    later = replace(DRAFT, created_at=AT + timedelta(days=1), counts={"members": 4}, digest="e" * 64)
    second = add_version(engine, later, nothing, new=False)
    assert (first.version, second.version) == (1, 2)
    assert versions(engine, "a1") == (second, replace(first, last=2))
    assert newest(engine) == (second,)
    assert versions(engine, "unknown") == ()


def test_a_name_belongs_to_one_audience(engine: Engine) -> None:
    add_version(engine, DRAFT, nothing, new=True)
    with pytest.raises(RequestError, match="name of another"):
        add_version(engine, replace(DRAFT, audience_id="a2"), nothing, new=True)
    assert owner_of_name(engine, "待回购") == "a1"
    assert owner_of_name(engine, "流失") is None
    assert versions(engine, "a2") == ()


def test_what_fails_while_it_is_put_in_place_is_not_there(engine: Engine) -> None:
    def fail(_: Connection, __: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        add_version(engine, DRAFT, fail, new=True)
    assert newest(engine) == ()
    assert owner_of_name(engine, DRAFT.name) is None
    assert add_version(engine, DRAFT, nothing, new=True).version == 1


def test_a_next_version_needs_an_audience_that_stands(engine: Engine) -> None:
    with pytest.raises(RequestError, match="is no audience"):
        add_version(engine, DRAFT, nothing, new=False)
    add_version(engine, DRAFT, nothing, new=True)
    assert end(engine, "a1", AT)
    with pytest.raises(RequestError, match="was ended"):
        add_version(engine, DRAFT, nothing, new=False)
    assert not end(engine, "unknown", AT)


def test_only_the_newest_of_a_running_audience_is_live(engine: Engine) -> None:
    add_version(engine, DRAFT, nothing, new=True)
    add_version(engine, DRAFT, nothing, new=False)
    other = replace(DRAFT, audience_id="a2", name="流失", live_until=AT + timedelta(days=1))
    add_version(engine, other, nothing, new=True)
    second, first = versions(engine, "a1")
    assert (first.standing(AT), second.standing(AT)) == (Standing.SUPERSEDED, Standing.LIVE)
    assert {found.draft.audience_id for found in live(engine, AT)} == {"a1", "a2"}
    later = AT + timedelta(days=1)
    assert [found.draft.audience_id for found in live(engine, later)] == ["a1"]
    assert versions(engine, "a2")[0].standing(later) is Standing.PAST
    end(engine, "a1", later)
    assert versions(engine, "a1")[0].standing(later) is Standing.ENDED
    assert live(engine, later) == ()


def test_an_audience_is_ended_once(engine: Engine) -> None:
    add_version(engine, DRAFT, nothing, new=True)
    end(engine, "a1", AT)
    end(engine, "a1", AT + timedelta(days=3))
    assert versions(engine, "a1")[0].ended_at == AT


def test_versions_made_at_once_get_a_number_each(engine: Engine) -> None:
    add_version(engine, DRAFT, nothing, new=True)
    placed: list[int] = []
    start = threading.Barrier(6)

    def add(_: int) -> int:
        start.wait()
        return add_version(engine, DRAFT, lambda _, number: placed.append(number), new=False).version

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(add, range(6))) == [2, 3, 4, 5, 6, 7]
    assert placed == [2, 3, 4, 5, 6, 7]


def test_audiences_of_one_name_made_at_once_are_one(engine: Engine) -> None:
    start = threading.Barrier(4)

    def add(n: int) -> bool:
        start.wait()
        try:
            add_version(engine, replace(DRAFT, audience_id=f"a{n}"), nothing, new=True)
        except RequestError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [False, False, False, True]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audience_versions")).scalar() == 1
