from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.journal import Journal
from recsys.store.live import LiveReader
from tests.postgres import empty_database
from tests.unit.store.made import level


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a store that nobody has opened yet: whatever a store promises, it promises on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deep' / 'recsys.db'}"
        return
    with empty_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    with database(store_url) as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def journal(engine: Engine, home: Home) -> Journal:
    journal = Journal(engine, home.live)
    level(journal)
    return journal


@pytest.fixture
def reader(home: Home) -> LiveReader:
    return LiveReader(home.live)
