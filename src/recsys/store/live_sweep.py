"""Finds what the live store holds of people who did nothing for so long that it is never asked for."""

from typing import Any

import lmdb

from recsys.store import live_layout as layout

STEP = 500
"""Values looked at in one step."""


class Sweep:
    """Goes through the live store in small steps, and from the front again when it has come to the end."""

    def __init__(self) -> None:
        self._next = b""

    def step(self, txn: "lmdb.Transaction", now: float) -> list[bytes]:
        """Look at the next values; return the names of those that nobody asks for after now (UTC seconds)."""
        old: list[bytes] = []
        cursor = txn.cursor()
        found = cursor.set_range(self._next)
        for _ in range(STEP):
            if not found:
                self._next = b""
                return old
            name = bytes(cursor.key())
            if is_old(name, cursor.value(), now):
                old.append(name)
            found = cursor.next()
        self._next = bytes(cursor.key()) if found else b""
        return old


def is_old(name: bytes, value: "bytes | memoryview | None", now: float) -> bool:
    """Tell whether a value is of a person and so old that nobody asks for it after now (UTC seconds)."""
    loaded: Any = layout.load(value)
    if loaded is None:
        return False
    match name[:1]:
        case b"d":
            return max((times[0] for _, times in loaded if times), default=0.0) <= now - layout.KEPT_SECONDS
        case b"s":
            return int(loaded[0]) < now // layout.DAY - 2
        case b"t":
            return max((max(marks[1], marks[3]) for marks in loaded.values()), default=0) <= now - layout.CREDIT_SECONDS
        case _:
            return False
