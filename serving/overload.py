"""What a worker takes on at once: beyond it requests are turned away at the door rather than put in a queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from serving.errors import RefusedError

MAX_IN_FLIGHT = 256
"""Requests begun and not answered: their bodies are still coming, or a thread or the disk is at work for them."""
MAX_WAIT = 0.25
"""Seconds that a request may have waited, at most, behind those that arrived with it."""
BODY_SECONDS = 10.0
"""A body that has not come after this long is given up, at the next look."""
LOOK_SECONDS = 1.0
THREADS = 4
MAX_WAITING = 16
"""Requests that wait for a thread."""

BUSY = "the service is at its limit; try again"


class Load:
    """Counts what a worker is at.

    Requests that are ready run one after the other within one turn of the event loop. The turn's first one starts a
    clock; one that is reached later than `MAX_WAIT` is turned away, which costs little, so the turn ends soon and the
    next one starts with a clock of its own.
    """

    def __init__(self) -> None:
        self._in_flight = 0
        self._turn: float | None = None
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._looking = False

    @property
    def in_flight(self) -> int:
        """Requests begun and not answered."""
        return self._in_flight

    def enter(self, now: float) -> None:
        """Begin a request, which `leave` must end; `RefusedError` when there is no room for it."""
        if self._in_flight >= MAX_IN_FLIGHT:
            raise RefusedError(503, None, BUSY, retry_after=1)
        if self._turn is None:
            self._turn = now
            asyncio.get_running_loop().call_soon(self._next_turn)
        elif now - self._turn > MAX_WAIT:
            raise RefusedError(503, None, BUSY, retry_after=1)
        self._in_flight += 1

    def leave(self) -> None:
        """End a request."""
        self._in_flight -= 1

    def begin_reading(self) -> "asyncio.Task[Any] | None":
        """Note that the running task waits for a body; it is cancelled when that takes longer than `BODY_SECONDS`.

        One timer looks after all readers: a timer each would cost more than reading the usual body.
        """
        task = asyncio.current_task()
        if task is not None:
            self._reading[task] = perf_counter()
            if not self._looking:
                self._looking = True
                asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return task

    def end_reading(self, task: "asyncio.Task[Any] | None") -> bool:
        """Note that a body was read or given up; return whether the task was in time."""
        return task is None or self._reading.pop(task, None) is not None

    def _next_turn(self) -> None:
        self._turn = None

    def _look(self) -> None:
        late = perf_counter() - BODY_SECONDS
        for task in [task for task, began in self._reading.items() if began < late]:
            del self._reading[task]
            task.cancel()
        self._looking = bool(self._reading)
        if self._looking:
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)


class Threads:
    """Runs what takes longer than a few milliseconds, with a bounded queue and a deadline."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")
        self._taken = 0

    async def run(self, work: Callable[..., Any], *arguments: Any, within: float) -> Any:
        """Run work in a thread; `RefusedError` when too many wait already, or when it takes longer than `within`.

        Work that is late goes on and keeps its place until it ends.
        """
        if self._taken >= THREADS + MAX_WAITING:
            raise RefusedError(503, None, BUSY, retry_after=1)
        self._taken += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        running.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(running), within)
        except TimeoutError:
            raise RefusedError(503, None, f"took longer than {within:g} seconds", retry_after=1) from None

    def _done(self, running: "asyncio.Future[Any]") -> None:
        self._taken -= 1
        if not running.cancelled():
            running.exception()  # one that came too late to be told is not to be warned of
