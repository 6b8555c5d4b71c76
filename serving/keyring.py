"""The keys as a worker knows them: read anew every second by a thread of its own, and asked without a database."""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from recsys.core.errors import RecsysError
from recsys.store.database import database
from recsys.store.keys import Key, all_keys

READ_SECONDS = 1.0
FIRST_READ_SECONDS = 2.0

_log = logging.getLogger("recsys.serving")


@dataclass(frozen=True)
class Known:
    """Keys as last read.

    standing: those that were neither revoked nor have expired, by key id. any_made: whether there ever was a key.
    """

    standing: Mapping[str, Key]
    any_made: bool


class Keyring:
    """Follows the keys in the database; when it cannot be read, those last read stay in force.

    known: None until they were read for the first time.
    """

    def __init__(self, url: str, changed: Callable[[bool], None]) -> None:
        """Take the database's address and whom to tell, after each reading, whether it could be read."""
        self.known: Known | None = None
        self.readable = True
        self._url = url
        self._changed = changed
        self._opened = contextlib.ExitStack()
        self._engine: Engine | None = None
        self._first = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="keys", daemon=True)

    def start(self) -> None:
        """Begin to follow; wait for the first reading, but not for long."""
        self._thread.start()
        self._first.wait(FIRST_READ_SECONDS)

    def stop(self) -> None:
        """End the following, unless the database holds the thread up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(READ_SECONDS)

    def read(self) -> None:
        """Read the keys now."""
        try:
            keys = self._keys()
        except (SQLAlchemyError, RecsysError, OSError) as error:
            self._close()
            if self.readable:
                _log.error("keys cannot be read; those last read stay in force (%s)", type(error).__name__)
            self.readable = False
        else:
            now = datetime.now(UTC)
            known = Known({key.key_id: key for key in keys if key.stands(now)}, any_made=bool(keys))
            if known != self.known:
                _tell(known)
            self.known, self.readable = known, True
        self._changed(self.readable)

    def _keys(self) -> tuple[Key, ...]:
        if not _not_there(self._url):
            return all_keys(self._database())
        if self.known is not None and self.known.any_made:
            raise FileNotFoundError  # what is gone must not open the door
        return ()

    def _database(self) -> Engine:
        if self._engine is None:
            self._engine = self._opened.enter_context(database(self._url))
        return self._engine

    def _close(self) -> None:
        self._engine = None
        self._opened.close()

    def _follow(self) -> None:
        while True:
            try:
                self.read()
            except Exception:
                _log.exception("following the keys failed")
            self._first.set()
            if self._stop.wait(READ_SECONDS):
                self._close()
                return


def _not_there(url: str) -> bool:
    """Whether it is a SQLite file that nobody made yet: reading must not make it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return False
    file = parsed.get_backend_name() == "sqlite" and parsed.database
    return bool(file) and not Path(str(file)).exists()


def _tell(known: Known) -> None:
    if known.any_made:
        _log.info("%d keys are in force", len(known.standing))
    else:
        _log.warning(
            "there are no keys: callers on this machine may do everything, others nothing; `recsys keys create`"
        )
