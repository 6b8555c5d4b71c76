from collections.abc import Iterator

import pytest

from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real Postgres that runs as long as the tests that ask for it."""
    with postgres_server() as url:
        yield url
