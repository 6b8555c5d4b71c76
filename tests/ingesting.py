"""Files of a retailer's own layout, ingested as a user would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from recsys.core.config import Home
from recsys.data.ingest import IngestReport, ingest
from recsys.data.mapping import IngestConfig
from recsys.data.tables import Tables

PLAIN = "order_id,member_id,product_id,ordered_at,quantity,amount\n"
Load = Callable[..., IngestReport]


def quiet(step: str, done: int, total: int) -> None:
    """Say nothing."""


def loader(folder: Path, home: Home) -> Load:
    """Return what ingests files (name -> text or bytes) from a folder through a mapping's text."""

    def run(files: dict[str, str | bytes], toml: str = 'timezone = "UTC"\n') -> IngestReport:
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (folder / "recsys.toml").write_text(toml, encoding="utf-8")
        return ingest(IngestConfig.load(folder / "recsys.toml"), home, quiet)

    return run


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    """Ask the tables of a home."""
    with Tables.open(home.tables).connect() as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


def quarantined(home: Home, table: str = "orders") -> pd.DataFrame:
    """Read what was refused of a table."""
    return pq.read_table(home.quarantine / f"{table}.parquet").to_pandas()
