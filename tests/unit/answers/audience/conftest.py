from pathlib import Path

import pytest
from sqlalchemy import Engine

from recsys.answers.audience.make import Shelf
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from tests.publications import content


@pytest.fixture(scope="session")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


@pytest.fixture
def shelf(engine: Engine, tmp_path: Path) -> Shelf:
    """Audiences on SQLite and on Postgres."""
    return Shelf(engine, tmp_path / "audiences")
