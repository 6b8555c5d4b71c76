"""Takes what the mall tells, many requests to one commit, and answers when it is durable."""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from recsys.core.config import Home
from recsys.store.events import Event
from recsys.store.live_fold import Credit
from serving.errors import RefusedError

if TYPE_CHECKING:
    from recsys.store.journal import Journal

MAX_PENDING = 20_000
"""Events that wait to be written; with more, a batch is turned away."""
MAX_WAITING = 128
"""Requests that wait, of all that a worker takes on at once: a slow log must not keep recommendations out."""
MAX_GROUP = 5_000
"""Events of one commit, about."""
WITHIN_SECONDS = 5.0
STUCK_SECONDS = 1.0
"""A commit that takes longer turns new batches away until it ends."""
FOLLOW_SECONDS = 1.0
"""So often it is looked whether the live store lacks something that the log has, where this machine alone writes it."""
SHARED_SECONDS = 0.05
"""The same where other machines write to the log too."""
RETRY_SECONDS = 0.5

DOWN = "events and stock cannot be written now; send it again"

_log = logging.getLogger("recsys.serving")


class Tally(Protocol):
    """Counts what was told."""

    def recorded(self, events: Sequence[Event], owed: Sequence[Credit], *, duplicates: int) -> None:
        """Count events that were new, what of them is owed to recommendations, and those that were not new."""
        ...

    def events_refused(self, n: int) -> None:
        """Count events that break a rule."""
        ...


@dataclass(eq=False)
class _Waiting:
    """What one request asks, and where it waits for the answer."""

    events: Sequence[Event]
    pieces: Mapping[str, float]
    answer: "asyncio.Future[int]"
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def settle(self, result: int | Exception) -> None:
        """Answer from whichever thread; nobody may be waiting any more."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._settle, result)

    def _settle(self, result: int | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class EventIntake:
    """Writes events and stock in a thread of its own, one commit for all that arrived during the last one.

    The same thread brings the live store up to the log when something else left it behind. When the log cannot be
    written, requests are refused with 503 and nothing of theirs is recorded; it is opened anew until it can be.
    """

    def __init__(self, home: Home, zone: Callable[[], str], tally: Tally) -> None:
        """Take the home, what tells the mall's time zone, and who counts."""
        self._home = home
        self._zone = zone
        self.tally = tally
        self._queue: deque[_Waiting] = deque()
        self._pending = 0
        self._waiting = 0
        self._began: float | None = None
        self._down = False
        self._arrived = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify()
        if self._thread.is_alive():
            self._thread.join(WITHIN_SECONDS)

    async def record(self, events: Sequence[Event]) -> int:
        """Record events; return how many were new, when these are durable. `RefusedError` when they may not be."""
        return await self._take(events, {})

    async def restock(self, pieces: Mapping[str, float]) -> int:
        """Set the stock of products; return the version that has it, when it is durable."""
        return await self._take((), pieces)

    async def _take(self, events: Sequence[Event], pieces: Mapping[str, float]) -> int:
        began = self._began
        if self._down or self._stopping or (began is not None and time.monotonic() - began > STUCK_SECONDS):
            raise RefusedError(503, None, DOWN, retry_after=5)
        size = len(events) + len(pieces)
        if self._waiting >= MAX_WAITING or self._pending + size > MAX_PENDING:
            raise RefusedError(503, None, "too much waits to be written; try again", retry_after=1)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        try:
            with self._arrived:
                self._pending += size
                self._queue.append(_Waiting(events, pieces, answer))
                self._arrived.notify()
            return await asyncio.wait_for(answer, WITHIN_SECONDS)
        except TimeoutError:
            raise RefusedError(503, None, DOWN, retry_after=5) from None
        finally:
            self._waiting -= 1

    def _run(self) -> None:
        """Open the log and write, again and again until stopped."""
        from recsys.store.database import database
        from recsys.store.journal import Journal

        trouble = ""
        while not self._stopping:
            try:
                with database(self._home.database) as engine:
                    shared = engine.dialect.name != "sqlite"
                    self._write(Journal(engine, self._home.live), SHARED_SECONDS if shared else FOLLOW_SECONDS)
            except Exception as error:
                self._down, self._began = True, None
                if repr(error) != trouble:
                    trouble = repr(error)
                    _log.error("events cannot be written: %r", error)
                self._refuse()
                time.sleep(RETRY_SECONDS)
        self._refuse()

    def _write(self, journal: "Journal", follow_every: float) -> None:
        behind = self._follow(journal)
        while True:
            group = self._next(0.0 if behind else follow_every)
            if group:
                self._commit(journal, group)
            elif self._stopping:
                return
            else:
                behind = self._follow(journal)

    def _follow(self, journal: "Journal") -> bool:
        """Bring the live store up to the log; only what follows on what it has is laid over it at once."""
        behind = journal.follow(self._zone())
        self._down = False
        return behind

    def _next(self, within: float) -> list[_Waiting]:
        """Return what has arrived, waiting for it when there is nothing."""
        group: list[_Waiting] = []
        taken = 0
        with self._arrived:
            if not self._queue and not self._stopping:
                self._arrived.wait(within)
            while self._queue and taken < MAX_GROUP:
                group.append(self._queue.popleft())
                taken += len(group[-1].events) + len(group[-1].pieces)
            self._pending -= taken
        return group

    def _commit(self, journal: "Journal", group: list[_Waiting]) -> None:
        self._began = time.monotonic()
        try:
            events = [event for waiting in group for event in waiting.events]
            recorded = journal.record(events, self._zone()) if events else None
            pieces: dict[str, float] = {}
            for waiting in group:
                pieces.update(waiting.pieces)
            version = journal.restock(pieces, time.time()) if pieces else 0
        except Exception:
            _turn_away(group)
            raise
        self._began = None
        left = set() if recorded is None else set(recorded.accepted)
        for waiting in group:
            if waiting.pieces:
                waiting.settle(version)
                continue
            new = {event.event_id for event in waiting.events} & left
            left -= new
            waiting.settle(len(new))
        if recorded is not None:
            self.tally.recorded(recorded.events, recorded.credits, duplicates=len(events) - len(recorded.events))

    def _refuse(self) -> None:
        """Turn away everybody who waits."""
        with self._arrived:
            group, self._pending = list(self._queue), 0
            self._queue.clear()
        _turn_away(group)


def _turn_away(group: list[_Waiting]) -> None:
    for waiting in group:
        waiting.settle(RefusedError(503, None, DOWN, retry_after=5))
