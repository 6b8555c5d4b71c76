"""The door: a retailer's data in, checked and stored tables out."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError, TableError
from recsys.core.folders import read_manifest
from recsys.data.checks import find_broken
from recsys.data.engine import connect
from recsys.data.mapping import IngestConfig, TableMapping
from recsys.data.merge import merge
from recsys.data.quarantine import write_quarantine
from recsys.data.schema import SCHEMA
from recsys.data.sift import TableReport, sift
from recsys.data.sources import Progress, read_source
from recsys.data.staging import stage
from recsys.data.tables import Tables
from recsys.data.writer import write_generation


@dataclass(frozen=True)
class IngestReport:
    """What a run read, kept and refused.

    tables: those the source has, in the schema's order.
    unchanged: the stored tables say the same as before; true for a check, which stores nothing.
    failures: tables with too many bad rows; only a check returns with any.
    """

    tables: tuple[TableReport, ...]
    unchanged: bool
    failures: tuple[TableError, ...] = ()


def ingest(config: IngestConfig, home: Home, progress: Progress) -> IngestReport:
    """Read, check and merge the source's tables into the home's, and make the result current in one step.

    progress: called with a step's name, the rows done and all rows (0 = unknown).
    Bad rows go to the home's quarantine, also when the run stops.
    Raises `TableError` when orders are missing, a table has more bad rows than allowed or cannot be read, `ConfigError`
    when the mapping is wrong, `ArtifactError` when the stored tables were altered; then these stay as they were.
    """
    old = _stored(home, config.timezone)
    with ExitStack() as stack:
        home.root.mkdir(parents=True, exist_ok=True)
        work = Path(stack.enter_context(TemporaryDirectory(prefix=".ingest-", dir=home.root)))
        connection = stack.enter_context(connect(work / "work.duckdb"))
        reports = _read_all(connection, config, work, progress)
        for report in reports:
            write_quarantine(connection, report.table, home.quarantine)
        failures = _failures(reports, config)
        if failures:
            raise failures[0]
        progress("store tables", 0, 1)
        merge(connection, old)
        written = write_generation(home.tables, connection, config.timezone)
        progress("store tables", 1, 1)
    return IngestReport(reports, unchanged=not written)


def check(config: IngestConfig, progress: Progress) -> IngestReport:
    """Read and check the source's tables and store nothing: what `ingest` would count, and refuse."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="recsys-check-")))
        connection = stack.enter_context(connect(work / "work.duckdb"))
        reports = _read_all(connection, config, work, progress)
    return IngestReport(reports, unchanged=True, failures=_failures(reports, config))


def _stored(home: Home, zone: str) -> Tables | None:
    try:
        tables = Tables.open(home.tables)
    except MissingError:
        return None
    read_manifest(tables.folder)
    if tables.zone != zone:
        raise ConfigError("timezone", f"the stored tables cut days in {tables.zone}, not {zone}; use another home")
    return tables


def _read_all(
    connection: duckdb.DuckDBPyConnection, config: IngestConfig, work: Path, progress: Progress
) -> tuple[TableReport, ...]:
    latest = config.latest or datetime.now(UTC) + timedelta(days=1)
    known = latest.astimezone(UTC).replace(tzinfo=None)
    reports = []
    for table in SCHEMA.values():
        mapping = config.tables.get(table.name)
        progress(f"read {table.name}", 0, 0)
        if read_source(connection, config.source, table.name, mapping, work, progress):
            stage(connection, table, mapping or TableMapping(), config.timezone)
            find_broken(connection, table, known, progress)
            reports.append(sift(connection, table, mapping or TableMapping()))
    if not reports or reports[0].table != "orders":
        raise TableError("orders", "the source has no orders, the one table that is required")
    return tuple(reports)


def _failures(reports: tuple[TableReport, ...], config: IngestConfig) -> tuple[TableError, ...]:
    failures = (report.failure(config.max_bad_share) for report in reports)
    return tuple(failure for failure in failures if failure is not None)
