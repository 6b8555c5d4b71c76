from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import duckdb

from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import current, read_manifest
from recsys.core.time import EPOCH, AsOf
from recsys.data.engine import connect, stored
from recsys.data.schema import STORED
from recsys.data.snapshot import Snapshot
from recsys.data.writer import FORMAT


@dataclass(frozen=True)
class Tables:
    """The retailer's tables, checked and stored: one immutable generation, read lazily.

    folder: holds one parquet file for each table that exists.
    zone: IANA name of the mall's time zone, in which days were cut.
    origin: a sample's name, or "" for the retailer's own data.
    digest: of the content: equal for equal rows, whatever files they came from.
    first: the first mall day with an order.
    end: the day after the last one, the first day about which nothing is known.
    """

    folder: Path
    zone: str
    origin: str
    digest: str
    first: AsOf
    end: AsOf

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open the current generation below root; `MissingError` when nothing was ingested yet."""
        folder = current(root)
        if folder is None:
            raise MissingError("tables", "recsys ingest")
        manifest = read_manifest(folder, verify=False)
        if manifest.get("format") != FORMAT:
            raise ArtifactError(folder, f"is not of format {FORMAT}; ingest again")
        zone: str = manifest["zone"]
        first, end = (_as_of(manifest[name], zone) for name in ("first", "end"))
        return cls(folder, zone, manifest.get("origin", ""), manifest["digest"], first, end)

    def path(self, table: str) -> Path | None:
        """Return the file of a table, or None when there is none."""
        file = self.folder / f"{STORED[table].name}.parquet"
        return file if file.is_file() else None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a connection with one view per table of `STORED`; a table that is absent is empty."""
        connection = connect()
        for table in STORED.values():
            relation = stored(table, self.path(table.name))
            connection.execute(f"CREATE VIEW {table.name} AS FROM {relation}")
        return connection

    def at(self, as_of: AsOf) -> Snapshot:
        """Return the same tables with only what was known before as_of."""
        files = {name: self.path(name) for name in STORED}
        return Snapshot(as_of, self.digest, self.end, files)


def _as_of(number: int, zone: str) -> AsOf:
    return AsOf(EPOCH + timedelta(days=number), zone)
