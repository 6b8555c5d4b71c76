import importlib
import multiprocessing
import pkgutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

import recsys.store
from recsys.core.errors import ConfigError
from recsys.store import upgrade
from recsys.store.database import Base, database
from recsys.store.promotions import history

BEFORE = """
    CREATE TABLE promotions (
        id {serial} NOT NULL, task VARCHAR NOT NULL, action VARCHAR NOT NULL, version VARCHAR NOT NULL,
        forced BOOLEAN NOT NULL, who VARCHAR NOT NULL, why VARCHAR NOT NULL, at {time} NOT NULL, PRIMARY KEY (id)
    );
    CREATE INDEX ix_promotions_task ON promotions (task);
    CREATE TABLE keys (
        key_id VARCHAR NOT NULL, name VARCHAR NOT NULL, role VARCHAR NOT NULL, per_second {double},
        digest VARCHAR NOT NULL, created_at {time} NOT NULL, revoked_at {time}, PRIMARY KEY (key_id)
    );
    CREATE TABLE stock (
        product_id VARCHAR NOT NULL, pieces {double} NOT NULL, told_at BIGINT NOT NULL, change BIGINT NOT NULL,
        PRIMARY KEY (product_id)
    );
    CREATE INDEX ix_stock_change ON stock (change)
"""
"""What recsys made before it kept revisions, without the events: a command made only the tables that it used."""

WORDS = {
    "sqlite": {"serial": "INTEGER", "time": "DATETIME", "double": "DOUBLE"},
    "postgresql+psycopg": {
        "serial": "SERIAL",
        "time": "TIMESTAMP WITHOUT TIME ZONE",
        "double": "DOUBLE PRECISION",
    },
}

WORKERS = 4

LINE = (
    "INSERT INTO promotions (task, action, version, forced, who, why, at) "
    "VALUES ('churn', 'promote', '7', true, '王芳', '更准', '2025-01-01 08:00:00')"
)


@pytest.fixture
def models() -> None:
    """Import every table there is."""
    for module in pkgutil.iter_modules(recsys.store.__path__):
        importlib.import_module(f"recsys.store.{module.name}")


def before(url: str) -> list[str]:
    return BEFORE.format(**WORDS[make_url(url).drivername]).split(";")


def run(url: str, statements: Sequence[str]) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))


def test_the_head_is_the_newest_of_one_line_of_revisions() -> None:
    assert ScriptDirectory(str(upgrade.FOLDER)).get_heads() == [upgrade.HEAD]


@pytest.mark.usefixtures("models")
def test_a_new_store_has_just_the_tables_that_the_models_say(engine: Engine) -> None:
    assert differences(engine) == []
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.usefixtures("models")
def test_a_store_made_before_revisions_keeps_its_rows_and_gets_the_rest(store_url: str) -> None:
    run(store_url, (*before(store_url), LINE))
    with database(store_url) as engine:
        assert [line.version for line in history(engine, "churn")] == ["7"]
        assert differences(engine) == []
        with engine.connect() as connection:
            assert upgrade.revision(connection) == upgrade.HEAD


def test_a_store_of_a_newer_version_is_refused_and_left_alone(store_url: str) -> None:
    with database(store_url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="9999"), database(store_url):
        pass
    engine = create_engine(store_url)
    with engine.connect() as connection:
        assert upgrade.revision(connection) == "9999"
    engine.dispose()


def test_an_upgrade_that_fails_changes_nothing(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is in the way of the second revision undoes the first too."""
    run(store_url, ("CREATE TABLE audience_versions (version INTEGER)",))
    with pytest.raises(ConfigError, match="cannot be opened"), database(store_url):
        pass
    engine = create_engine(store_url)
    assert inspect(engine).get_table_names() == ["audience_versions"]
    engine.dispose()


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_database_itself_keeps_the_audit_log(engine: Engine, change: str) -> None:
    line = (
        "INSERT INTO audit (at, key_id, who, role, action, subject, told) "
        "VALUES ('2025-01-01 08:00:00', '', 'a', 'ops', 'view', 'x', '{}')"
    )
    with engine.begin() as connection:
        connection.execute(text(line))
    with pytest.raises(DBAPIError, match="only added to"), engine.begin() as connection:
        connection.execute(text(change))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT who FROM audit")).all() == [("a",)]


def test_a_store_whose_journal_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/recsys.db"
    run(url, before(url))
    other = sqlite3.connect(tmp_path / "deep" / "recsys.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = Timer(0.5, other.execute, ["COMMIT"])
    release.start()
    with database(url) as engine:
        assert history(engine, "churn") == ()
    release.join()
    other.close()


def open_and_promote(url: str, start: Any, answers: Any) -> None:
    start.wait()
    try:
        with database(url) as engine, engine.begin() as connection:
            connection.execute(text(LINE))
        answers.put("")
    except Exception as error:
        answers.put(repr(error.__cause__ or error))


@pytest.mark.parametrize("made", [False, True], ids=["empty", "made before revisions"])
def test_workers_that_open_a_store_at_once_upgrade_it_once(store_url: str, *, made: bool) -> None:
    run(store_url, before(store_url) if made else ())
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(WORKERS), context.Queue()
    workers = [context.Process(target=open_and_promote, args=(store_url, start, answers)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    told = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert told == [""] * WORKERS
    with database(store_url) as engine:
        assert len(history(engine, "churn")) == WORKERS
