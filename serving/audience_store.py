"""The store of audiences as a worker reaches it: opened when it is first needed, and without it nothing is shown."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy.exc import SQLAlchemyError

from recsys.answers.audience.make import Shelf
from recsys.core.config import Home
from recsys.core.errors import ConfigError
from serving.errors import RefusedError

AWAY = "audiences cannot be reached now; try again"

_log = logging.getLogger("recsys.serving")


class AudienceStore:
    """Hands out the shelf; threads share it. As whoever looks is written down, there is no looking without it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._shelf: Shelf | None = None

    @contextmanager
    def shelf(self) -> Iterator[Shelf]:
        """Reach the shelf; `RefusedError` 503 when the database fails to open, or fails in the block."""
        try:
            yield self._reached()
        except (SQLAlchemyError, ConfigError) as error:
            _log.exception("audiences cannot be reached")
            raise RefusedError(503, None, AWAY, retry_after=5) from error

    def stop(self) -> None:
        """Close it."""
        with self._lock, contextlib.suppress(SQLAlchemyError):
            self._shelf = None
            self._opened.close()

    def _reached(self) -> Shelf:
        with self._lock:
            if self._shelf is None:
                from recsys.store.database import database

                engine = self._opened.enter_context(database(self._home.database))
                self._shelf = Shelf(engine, self._home.audiences)
            return self._shelf
