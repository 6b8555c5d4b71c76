"""The member's live feature row: read from the packed online store when it is there, else told why not."""

import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import lmdb

from recsys.answers.shapes import FeatureRow, Scalar
from recsys.core.errors import MissingError, RecsysError
from recsys.core.task import View
from recsys.store.online import Place, row_reader
from serving.breaker import DEADLINE_SECONDS, LATE, Breaker, StoreWatcher

ABSENT = "there is no online store yet"
UNREADABLE = "the online store cannot be read; the service's log says why"
NO_ROW = "the online store has no row of this member"
STALE = "the online store's row of this member is older than the publication"

Found = tuple[FeatureRow | None, str | None]


class OnlineRows:
    """Reads a folder's or a Redis' rows, opened when they appear; reading never fails, but comes back bare.

    A read that fails or is not done within the deadline is the last one until the store is well again; meanwhile rows
    come back bare at once.
    """

    def __init__(self, place: Place, watcher: StoreWatcher) -> None:
        self._place = place
        self._reader = row_reader(place, seconds=DEADLINE_SECONDS)
        self._breaker = Breaker("online", self._probe, watcher)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="online")

    @property
    def trouble(self) -> str | None:
        """Why the store is not read; None = it is."""
        return self._breaker.reason

    def read(self, member_id: str, not_before: datetime) -> Found:
        """Return the member's row, or None and why there is none; a row of before the instant is not taken.

        Blocks for the deadline at most, so it is not for the event loop's thread.
        """
        if self._breaker.reason is not None:
            return None, UNREADABLE
        try:
            return self._in_time(member_id, not_before)
        except TimeoutError:
            self._breaker.trip(LATE)
        except (RecsysError, lmdb.Error, struct.error, OSError, ValueError) as error:
            self._breaker.trip(f"cannot be read: {type(error).__name__}", error)
        return None, UNREADABLE

    def stop(self) -> None:
        """End the trying."""
        self._breaker.stop()
        self._thread.shutdown(wait=False)

    def _read(self, member_id: str, not_before: datetime) -> Found:
        try:
            rows = self._reader.read(View.MEMBER, [member_id], not_before=not_before)
        except MissingError:
            return None, ABSENT
        except Exception:
            self._reader = row_reader(self._place, seconds=DEADLINE_SECONDS)
            raise
        if not rows.found[0]:
            return None, STALE if rows.stale[0] else NO_ROW
        values = {column.name: _scalar(rows.column(column.name)[0]) for column in rows.schema.columns}
        return FeatureRow("online", f"{rows.event_time[0].astype('datetime64[s]')}+00:00", None, values), None

    def _in_time(self, member_id: str, not_before: datetime) -> Found:
        reading = self._thread.submit(self._read, member_id, not_before)
        try:
            return reading.result(DEADLINE_SECONDS)
        except TimeoutError:
            reading.cancel()
            raise

    def _probe(self) -> None:
        self._in_time("", datetime.now(UTC))


def _scalar(value: object) -> Scalar:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
