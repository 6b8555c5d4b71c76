"""Where a home's online rows are: in a folder of its own, or in a Redis."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from recsys.core.errors import ConfigError
from recsys.store.packed import PackedReader, PackedStore
from recsys.store.packed_batch import Key
from recsys.store.packed_layout import PackedSchema
from recsys.store.packed_rows import PackedRows

Place = Path | str
"""A folder, or the URL of a Redis."""


class RowStore(Protocol):
    """What writes packed rows."""

    def write(
        self,
        view: str,
        table: pa.Table,
        *,
        keys: Sequence[str],
        event: str,
        created: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Write rows; see `PackedStore.write`."""
        ...

    def forget(self, view: str, *, before: datetime | None = None) -> int:
        """Take rows away; see `PackedStore.forget`."""
        ...

    def note(self, view: str, made_of: str) -> None:
        """Keep beside a view's rows what they were made of."""
        ...


class RowReader(Protocol):
    """What reads packed rows."""

    def read(self, view: str, keys: Sequence[Key], *, not_before: datetime | None = None) -> PackedRows:
        """Read the rows of keys; see `PackedReader.read`."""
        ...

    def schema(self, view: str) -> PackedSchema:
        """Return the columns of a view."""
        ...

    def count(self, view: str) -> int:
        """Count the rows of a view."""
        ...

    def made_of(self, view: str) -> str | None:
        """Return what was noted of a view's rows."""
        ...


def row_store(place: Place) -> RowStore:
    """Open the store at a place; `ConfigError` when it is no Redis, or what talks to one is not installed."""
    if isinstance(place, Path):
        return PackedStore(place)
    try:
        from recsys.store.packed_redis import PackedRedisStore
    except ImportError as error:
        raise _not_installed() from error
    return PackedRedisStore(place)


def row_reader(place: Place, *, seconds: float) -> RowReader:
    """Make a reader of the store at a place, which is looked for when it is read.

    seconds: that a Redis has for an answer.
    """
    if isinstance(place, Path):
        return PackedReader(place)
    try:
        from recsys.store.packed_redis import PackedRedisReader
    except ImportError as error:
        raise _not_installed() from error
    return PackedRedisReader(place, seconds=seconds)


def _not_installed() -> ConfigError:
    return ConfigError("RECSYS_ONLINE_URL", 'needs the package redis: pip install "recsys[redis]"')
