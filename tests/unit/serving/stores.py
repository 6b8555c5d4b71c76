"""A live store for tests that can be told to be slow, broken, or to hold something."""

import time
from collections.abc import Mapping

from recsys.store.live import NOTHING, Doings, Glance


class Store:
    """Answers what it is told to, after a pause, or fails; counts its reads and whom was asked for."""

    def __init__(self) -> None:
        self.reads = 0
        self.asked: list[str | None] = []
        self.pause = 0.0
        self.error: Exception | None = None
        self.version = 0
        self.told: dict[str, float] = {}
        self.done: Doings = NOTHING

    def doings(self, member_id: str | None, _anonymous: str | None, _now: float) -> Doings:
        self._read(member_id)
        return self.done

    def glance(self, member_id: str | None, _anonymous: str | None) -> Glance:
        self._read(member_id)
        return Glance(self.version, b"" if member_id is None else repr(self.done).encode(), b"")

    def stock_version(self) -> int:
        self._read(None)
        return self.version

    def stock(self, not_before: float = 0.0) -> Mapping[str, float]:
        assert not_before >= 0
        return dict(self.told)

    def _read(self, member_id: str | None) -> None:
        self.reads += 1
        self.asked.append(member_id)
        time.sleep(self.pause)
        if self.error is not None:
            raise self.error


class Heard:
    """Remembers what it was told of the store."""

    def __init__(self) -> None:
        self.usable: list[bool] = []

    def store(self, name: str, *, usable: bool) -> None:
        assert name == "live"
        self.usable.append(usable)
