"""Brings the store's tables to what this version of recsys expects, once, whoever opens it first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

FOLDER = Path(__file__).with_name("migrations")
HEAD = "0003"
"""The newest revision in `FOLDER`: what the models of this package stand for."""
LOCK = 0x7265_636D
"""Key of the lock under which Postgres is upgraded."""
WAIT_SECONDS = 60
"""SQLite waits so long for another process that upgrades; Postgres as long as it takes."""


class NewerError(Exception):
    """The store was upgraded by a newer version of recsys: `revision` is not known here."""

    def __init__(self, revision: str | None) -> None:
        self.revision = revision
        super().__init__(revision)


def upgrade(engine: Engine) -> None:
    """Upgrade a store to `HEAD` in one transaction; one that is there already costs a single read.

    A store made before revisions were kept is taken as it is: what it has stays, what it lacks is made. Of several
    processes one upgrades and the others wait. `NewerError` when the store is of a newer version of recsys.
    """
    with engine.connect() as connection:
        if revision(connection) == HEAD:
            return
        connection.rollback()
        with _in_turn(connection):
            _run(connection)
            connection.commit()


def revision(connection: Connection) -> str | None:
    """Return the revision a store is at; None when it is empty or was made before revisions were kept."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def _in_turn(connection: Connection) -> Iterator[None]:
    """Begin a transaction that nobody else who upgrades can be in at the same time."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield
        return
    usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.rollback()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={WAIT_SECONDS * 1000}")
    connection.rollback()
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield
    connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")
    connection.rollback()


def _run(connection: Connection) -> None:
    from alembic import command  # here, as a store that is at the head needs none of it
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerError(revision(connection)) from error
