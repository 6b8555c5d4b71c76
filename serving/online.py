"""The member's live feature row: read from the packed online store when it is there, else told why not."""

import logging
import struct
from datetime import datetime
from pathlib import Path

import lmdb

from recsys.answers.shapes import FeatureRow, Scalar
from recsys.core.errors import MissingError, RecsysError
from recsys.core.task import View
from recsys.store.packed import PackedReader

ABSENT = "there is no online store yet"
UNREADABLE = "the online store cannot be read; the service's log says why"
NO_ROW = "the online store has no row of this member"
STALE = "the online store's row of this member is older than the publication"

_log = logging.getLogger("recsys.serving")


class OnlineRows:
    """Opens the store when it appears, and again when another took its place; reading never fails, but comes back bare.

    A store's place is told by device and inode of its file: the reader of a file that was replaced would go on with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: PackedReader | None = None
        self._file: tuple[int, int] | None = None
        self._trouble = ""

    def read(self, member_id: str, not_before: datetime) -> tuple[FeatureRow | None, str | None]:
        """Return the member's row, or None and why there is none; a row of before the instant is not taken."""
        try:
            rows = self._opened().read(View.MEMBER, [member_id], not_before=not_before)
            if not rows.found[0]:
                return None, STALE if rows.stale[0] else NO_ROW
            values = {column.name: _scalar(rows.column(column.name)[0]) for column in rows.schema.columns}
        except (FileNotFoundError, MissingError):
            self._reader = None
            return None, ABSENT
        except (RecsysError, lmdb.Error, struct.error, OSError, ValueError) as error:
            self._reader = None
            if repr(error) != self._trouble:
                self._trouble = repr(error)
                _log.error("the online store %s cannot be read: %r", self._path, error)
            return None, UNREADABLE
        self._trouble = ""
        return FeatureRow("online", f"{rows.event_time[0].astype('datetime64[s]')}+00:00", None, values), None

    def _opened(self) -> PackedReader:
        stat = (self._path / "data.mdb").stat()
        file = (stat.st_dev, stat.st_ino)
        if self._reader is None or self._file != file:
            self._reader = None  # the old file's handle is shared by its path and must go before the new one is opened
            self._reader, self._file = PackedReader(self._path), file
        return self._reader


def _scalar(value: object) -> Scalar:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
