"""How much of the machine's memory the engine may take; what is more, it keeps on disk meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from recsys.data.engine import quoted

MEMORY = "2GB"


def bound(connection: duckdb.DuckDBPyConnection, spill: Path) -> duckdb.DuckDBPyConnection:
    """Hold a connection to `MEMORY`, with a folder for what is more."""
    connection.execute(f"SET memory_limit = {quoted(MEMORY)}")
    connection.execute(f"SET temp_directory = {quoted(str(spill))}")
    return connection


@contextmanager
def bounded(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Hold a connection to `MEMORY`, with a folder of its own for what is more, and close it in the end."""
    with TemporaryDirectory(prefix="recsys-engine-") as spill, connection:
        yield bound(connection, Path(spill))
