import asyncio
import threading
from typing import Any

import pytest

from serving import overload
from serving.body import HungUpError, Message, read_body
from serving.errors import RefusedError
from serving.overload import MAX_IN_FLIGHT, MAX_WAIT, MAX_WAITING, THREADS, Load, Threads


def test_so_many_are_taken_and_no_more_until_one_leaves() -> None:
    async def fill() -> None:
        load = Load()
        for _ in range(MAX_IN_FLIGHT):
            load.enter(0.0)
        with pytest.raises(RefusedError) as raised:
            load.enter(0.0)
        assert raised.value.status == 503
        assert (b"retry-after", b"1") in raised.value.headers
        load.leave()
        load.enter(0.0)
        assert load.in_flight == MAX_IN_FLIGHT

    asyncio.run(fill())


def test_what_has_waited_too_long_behind_others_is_turned_away_and_the_next_turn_starts_anew() -> None:
    async def turns() -> list[bool]:
        load, taken = Load(), []
        for now in (0.0, MAX_WAIT, MAX_WAIT + 0.01, None, MAX_WAIT + 0.02):
            if now is None:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                continue
            try:
                load.enter(now)
            except RefusedError:
                taken.append(False)
            else:
                taken.append(True)
                load.leave()
        return taken

    assert asyncio.run(turns()) == [True, True, False, True]


def parts(*messages: Message) -> Any:
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    return receive


def request(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_put_together_from_its_parts() -> None:
    whole = read_body(parts(request(b"ab", more=True), request(b"c", more=False)), Load())
    assert asyncio.run(whole) == b"abc"


def test_a_caller_who_hangs_up_midway_is_told_apart_from_an_empty_body() -> None:
    with pytest.raises(HungUpError):
        asyncio.run(read_body(parts(request(b"ab", more=True), {"type": "http.disconnect"}), Load()))


def test_a_body_that_does_not_come_is_given_up_and_the_task_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "BODY_SECONDS", 0.02)
    monkeypatch.setattr(overload, "LOOK_SECONDS", 0.01)

    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def ask() -> int:
        with pytest.raises(RefusedError) as raised:
            await read_body(never, Load())
        await asyncio.sleep(0)
        return raised.value.status

    assert asyncio.run(ask()) == 408


def test_a_task_that_is_cancelled_by_others_stays_cancelled() -> None:
    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def ask() -> None:
        task = asyncio.create_task(read_body(never, Load()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())


def test_threads_have_a_bounded_queue_and_a_deadline() -> None:
    go_on = threading.Event()

    async def crowd() -> list[int]:
        threads = Threads()
        room = THREADS + MAX_WAITING
        waiting = [asyncio.create_task(threads.run(go_on.wait, within=0.1)) for _ in range(room)]
        await asyncio.sleep(0)
        statuses = []
        with pytest.raises(RefusedError) as raised:
            await threads.run(go_on.wait, within=0.1)
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, RefusedError)
            statuses.append(result.status)
        with pytest.raises(RefusedError):
            await threads.run(go_on.wait, within=0.1)  # those that are late keep their places
        go_on.set()
        for _ in range(500):
            await asyncio.sleep(0.01)
            try:
                assert await threads.run(lambda: 7, within=1) == 7
            except RefusedError:
                continue
            break
        return [raised.value.status, *statuses]

    assert set(asyncio.run(crowd())) == {503}


def test_what_a_thread_raises_comes_back() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Threads().run(fail, within=1))
