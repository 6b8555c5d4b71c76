"""Finds what the live store holds of people who did nothing for so long that it is never asked for."""

from collections.abc import Callable
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
    """Tell whether a value is of a person and so old, or so broken, that nobody can ask for it after now."""
    if value is None or name[:1] not in _NEWEST:
        return False
    try:
        newest, kept = _NEWEST[name[:1]]
        return newest(layout.load(value)) <= now - kept
    except (ValueError, TypeError, AttributeError, IndexError):
        return True


def _did(lists: Any) -> float:
    return float(max((times[0] for _, times in lists if times), default=0.0))


def _shown(shown: Any) -> float:
    return float(shown[0]) * layout.DAY


def _met(met: Any) -> float:
    return float(max((max(marks[1], marks[3]) for marks in met.values()), default=0.0))


_NEWEST: dict[bytes, tuple[Callable[[Any], float], float]] = {
    b"d": (_did, layout.KEPT_SECONDS),
    b"s": (_shown, 3 * layout.DAY),
    b"t": (_met, layout.CREDIT_SECONDS),
}
"""By kind of value: its latest instant in UTC seconds, and for how long after it the value is asked for."""
