from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from recsys.features.spark.session import spark_session
from recsys.store.database import database
from tests.postgres import empty_database, postgres_server
from tests.redis_server import RedisServer, redis_server
from tests.spark import spark_cluster

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real Postgres that runs as long as the tests that ask for it."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A real Redis that runs as long as the tests that ask for it."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def spark_master() -> Iterator[str]:
    """URL of a real Spark cluster of one master and two workers, for as long as the tests that ask for it."""
    with spark_cluster() as url:
        yield url


@pytest.fixture(scope="session")
def spark(spark_master: str) -> Iterator["SparkSession"]:
    """A session on that cluster."""
    with spark_session(spark_master) as session:
        yield session


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
