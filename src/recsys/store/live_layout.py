"""The bytes of the live store: where its file lies, what names a value, and how a value is written."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from struct import Struct
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from recsys.core.time import AsOf

BOOT = Path("/proc/sys/kernel/random/boot_id")
SIZE = 64 << 30
"""Address space, not disk: the file grows by what is written, some kilobytes a member who did something lately."""
LONGEST_ID = 400
"""Bytes of an id that stand in a name as they are, of 511 that LMDB allows; longer ones are hashed."""

NUMBER = Struct("<q")
FORMAT = b"1"

NO_ZONE = b"UTC"
DAY = 86_400.0
VIEW_SECONDS = 2 * DAY
KEPT_SECONDS = 30 * DAY
CREDIT_SECONDS = 7 * DAY
CHANGES = 1000
"""So many changes of stock are kept one by one, for readers to follow."""

META_FORMAT = b"=format"
META_ZONE = b"=zone"
META_APPLIED = b"=applied"
META_STOCK = b"=stock"


class MallDays:
    """Day numbers of instants in the mall's time zone, worked out once a day."""

    def __init__(self) -> None:
        self._known: tuple[bytes, float, float, int] = (b"", 0.0, 0.0, 0)

    def number(self, zone: bytes, instant: float) -> int:
        """Return the day (days since 1970-01-01) of an instant (UTC seconds) in a zone of an IANA name."""
        known = self._known
        if zone != known[0] or not known[1] <= instant < known[2]:
            name = zone.decode()
            day = AsOf(datetime.fromtimestamp(instant, ZoneInfo(name)).date(), name)
            known = zone, day.instant.timestamp(), day.plus(days=1).instant.timestamp(), day.number
            self._known = known
        return known[3]


def place(root: Path, boot: Path = BOOT) -> tuple[Path, bool]:
    """Return the folder of the live store's file and whether its writes must wait for the disk.

    The file is not written through, as the log of events is: killing a process loses nothing, but after the machine
    went down it may be spoilt. So the folder is named by the boot of the machine, and after another boot there is none
    and it is made anew from the log. Where the kernel does not tell its boots, writes wait for the disk.
    """
    try:
        return root / boot.read_text(encoding="ascii").strip(), False
    except OSError:
        return root / "written-through", True


def person(member_id: str | None, anonymous_id: str | None) -> bytes:
    """Return the name of whose doings an event is: the member's when there is one, else the visitor's."""
    if member_id is not None:
        return b"m" + _short(member_id)
    return b"a" + _short(anonymous_id or "")


def doings_name(who: bytes) -> bytes:
    """Name of what a person did.

    Viewed, favourites, cart, bought and queries, each two lists: ids (or texts) and UTC seconds, newest first.
    """
    return b"d" + who


def shown_name(who: bytes) -> bytes:
    """Name of what a person was shown on a day: [day, {product: impressions}]."""
    return b"s" + who


def met_name(who: bytes) -> bytes:
    """Name of the recommendations that a person met, by product.

    {product: [clicked recommendation or null, UTC seconds, seen recommendation or null, UTC seconds]}, latest last.
    """
    return b"t" + who


def stock_name(product_id: str) -> bytes:
    """Name of a product's stock: [product_id, pieces, UTC seconds]."""
    return b"k" + _short(product_id)


def change_name(version: int) -> bytes:
    """Name of the stock that one version changed: a list of values of `stock_name`; sorts by version."""
    return b"v" + version.to_bytes(8, "big")


def load(value: "bytes | memoryview | None") -> Any:
    """Read a value; None when there is none."""
    return None if value is None else orjson.loads(value)


def dump(value: Mapping[str, Any] | list[Any]) -> bytes:
    """Write a value."""
    return orjson.dumps(value)


def _short(name: str) -> bytes:
    data = name.encode()
    return data if len(data) <= LONGEST_ID else b"\0" + hashlib.blake2b(data, digest_size=32).digest()
