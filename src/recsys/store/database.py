import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from recsys.core.errors import ConfigError
from recsys.store.upgrade import NewerError, upgrade

SETTING = "RECSYS_DATABASE_URL"
BUSY_SECONDS = 5.0
"""SQLite waits so long for another process that writes."""
PAUSE = 0.01


class Base(DeclarativeBase):
    """Base of every table that recsys itself keeps."""


@contextmanager
def database(url: str) -> Iterator[Engine]:
    """Open the store at a SQLAlchemy URL with its tables up to date; SQLite runs in WAL mode with full durability.

    Raises `ConfigError` when the URL is none, its driver is not installed, or its database does not answer or is of a
    newer version of recsys; passwords are not told.
    """
    engine = _engine(url)
    try:
        _prepare(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that may read before it writes, and commit it when the block ends well.

    SQLite lets nobody else write from its first read on; on Postgres, rows read for update are locked.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        engine = create_engine(parsed)
    except (ArgumentError, ValueError, TypeError):
        raise ConfigError(SETTING, "is no SQLAlchemy URL of a known database") from None
    except ImportError as error:
        raise ConfigError(SETTING, f"needs a driver that is not installed: {error.name}") from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _write_ahead)
    return engine


def _prepare(engine: Engine) -> None:
    url: URL = engine.url
    try:
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        upgrade(engine)
    except NewerError as error:
        raise ConfigError(SETTING, f"the database is at revision {error.revision}; this recsys is older") from None
    except (SQLAlchemyError, OSError):
        where = f"{url.get_backend_name()} database {url.database}" + (f" at {url.host}" if url.host else "")
        raise ConfigError(SETTING, f"the {where} cannot be opened") from None


def _write_ahead(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
    _turn_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _turn_to_wal(cursor: DBAPICursor) -> None:
    """Turn the journal, which the first who opens a store does; SQLite itself does not wait for others who write."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(PAUSE)
        else:
            return
