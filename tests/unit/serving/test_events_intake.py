import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.events import Event, EventRow, EventType
from recsys.store.journal import Journal, Recorded
from recsys.store.live import LiveReader
from recsys.store.live_fold import Credit
from serving import events_intake
from serving.errors import RefusedError
from serving.events_intake import EventIntake

NOW = float(round(time.time()))


class Tallied:
    def __init__(self) -> None:
        self.new = self.duplicates = self.refused = 0

    def recorded(self, events: Sequence[Event], owed: Sequence[Credit], *, duplicates: int) -> None:
        self.new += len(events)
        self.duplicates += duplicates

    def events_refused(self, n: int) -> None:
        self.refused += n


def view(name: str) -> Event:
    return Event(name, EventType.VIEW, NOW, NOW, "m", product_id=name)


@contextmanager
def taking(home: Home) -> Iterator[tuple[EventIntake, Tallied]]:
    tallied = Tallied()
    intake = EventIntake(home, lambda: "UTC", tallied)
    intake.start()
    try:
        yield intake, tallied
    finally:
        intake.stop()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def logged(home: Home) -> int:
    with database(home.database) as engine, engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(EventRow)).scalar_one()


async def refusals(*asked: Awaitable[Any]) -> list[int]:
    """Return the statuses of those that were refused."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return [answer.status for answer in answers if isinstance(answer, RefusedError)]


def slow(seconds: float) -> Callable[..., Recorded]:
    record = Journal.record

    def wait(self: Journal, events: Sequence[Event], zone: str) -> Recorded:
        time.sleep(seconds)
        return record(self, events, zone)

    return wait


def test_one_commit_serves_all_that_wait_and_each_is_told_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "record", slow(0.1))

    async def ask(intake: EventIntake) -> list[int]:
        batches = [[view("a"), view("b")], [view("b"), view("c")], [view("c")], [view("d"), view("d")]]
        return await asyncio.gather(*(intake.record(batch) for batch in batches))

    with taking(home) as (intake, tallied):
        assert asyncio.run(ask(intake)) == [2, 1, 0, 1]
    assert (tallied.new, tallied.duplicates, logged(home)) == (4, 3, 4)
    assert len(LiveReader(home.live).doings("m", None, NOW).viewed) == 4


def test_what_waits_before_it_starts_is_in_the_live_store_though_it_stops_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "record", slow(0.2))
    intake = EventIntake(home, lambda: "UTC", Tallied())

    async def ask() -> int:
        waiting = asyncio.ensure_future(intake.record([view("a")]))
        await asyncio.sleep(0)
        intake.start()
        await asyncio.to_thread(intake.stop)
        return await waiting

    assert asyncio.run(ask()) == 1
    assert len(LiveReader(home.live).doings("m", None, NOW).viewed) == 1


def test_stock_and_events_share_a_commit(home: Home) -> None:
    async def ask(intake: EventIntake) -> list[int]:
        return list(
            await asyncio.gather(*(intake.record([view("a")]), intake.restock({"p": 1}), intake.restock({"p": 2})))
        )

    with taking(home) as (intake, _):
        assert asyncio.run(ask(intake))[0] == 1
    assert LiveReader(home.live).stock() == {"p": 2}


def test_what_waits_when_it_is_stopped_is_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "record", slow(0.2))

    async def ask(intake: EventIntake) -> list[int]:
        waiting = [asyncio.ensure_future(intake.record([view(str(n))])) for n in range(3)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(intake.stop)
        return await asyncio.gather(*waiting)

    with taking(home) as (intake, _):
        assert asyncio.run(ask(intake)) == [1, 1, 1]
        assert asyncio.run(refusals(intake.record([view("late")]))) == [503]
    assert logged(home) == 3


def test_a_slow_log_turns_callers_away_rather_than_letting_them_wait(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_intake, "MAX_WAITING", 3)
    monkeypatch.setattr(events_intake, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(Journal, "record", slow(0.6))

    async def ask(intake: EventIntake) -> tuple[list[int], list[int]]:
        first = asyncio.ensure_future(refusals(*(intake.record([view(str(n))]) for n in range(5))))
        await asyncio.sleep(0.4)
        return await refusals(intake.record([view("late")])), await first

    with taking(home) as (intake, _):
        assert asyncio.run(ask(intake)) == ([503], [503, 503])
    assert logged(home) == 3


def test_a_log_that_cannot_be_opened_turns_callers_away_at_once_until_it_can(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_DATABASE_URL", f"sqlite:///{home.root / 'a-file' / 'recsys.db'}")
    (home.root / "a-file").write_text("in the way")

    async def ask(intake: EventIntake) -> float:
        assert await refusals(intake.record([view("a")])) == [503]
        began = time.perf_counter()
        assert await refusals(*(intake.record([view(str(n))]) for n in range(50))) == [503] * 50
        took = time.perf_counter() - began
        (home.root / "a-file").unlink()
        while await refusals(intake.record([view("b")])):
            await asyncio.sleep(0.05)
        return took

    with taking(home) as (intake, _):
        assert asyncio.run(asyncio.wait_for(ask(intake), 30)) < 1
    assert logged(home) == 1
