"""The door: a retailer's data in, checked and stored tables out."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb

from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError, TableError
from recsys.core.folders import read_manifest
from recsys.data.checks import find_broken
from recsys.data.engine import connect
from recsys.data.life_stages import write_life_stages
from recsys.data.mapping import IngestConfig, TableMapping
from recsys.data.merge import merge
from recsys.data.quarantine import write_quarantine
from recsys.data.schema import SCHEMA
from recsys.data.sift import TableReport, sift
from recsys.data.sources import Progress, read_source
from recsys.data.staging import stage
from recsys.data.tables import Tables
from recsys.data.writer import write_generation

MEMORY = "4GB"
"""What the engine may hold in memory while tables are read."""


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
    when the mapping is wrong, a life stage names an unknown category, the home holds data of another origin or zone, or
    another run is at work in it, `ArtifactError` when the stored tables were altered; then these stay as they were.
    """
    with ExitStack() as stack:
        stack.enter_context(_alone(home))
        old = _stored(home, config)
        work = Path(stack.enter_context(TemporaryDirectory(prefix=".ingest-", dir=home.root)))
        connection = stack.enter_context(_workbench(work))
        reports = _read_all(connection, config, work, progress)
        for report in reports:
            write_quarantine(connection, report.table, home.quarantine)
        failures = _failures(reports, config)
        if failures:
            raise failures[0]
        progress("store tables", 0, 1)
        merge(connection, old)
        write_life_stages(connection, config.life_stages)
        written = write_generation(home.tables, connection, config.timezone, config.origin)
        progress("store tables", 1, 1)
    return IngestReport(reports, unchanged=not written)


def check(config: IngestConfig, progress: Progress) -> IngestReport:
    """Read and check the source's tables and store nothing: what `ingest` would count, and refuse."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="recsys-check-")))
        connection = stack.enter_context(_workbench(work))
        reports = _read_all(connection, config, work, progress)
    return IngestReport(reports, unchanged=True, failures=_failures(reports, config))


def _workbench(work: Path) -> duckdb.DuckDBPyConnection:
    """Open a connection over a file in a folder; what it has no memory for is on disk meanwhile."""
    connection = connect(work / "work.duckdb")
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    return connection


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold the home's tables for this run, and clear away what a run that was killed left."""
    home.tables.mkdir(parents=True, exist_ok=True)
    with (home.tables / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            rule = f"another ingestion is running in {home.root}; wait for its end or use another home"
            raise ConfigError("RECSYS_HOME", rule) from error
        for left in (*home.root.glob(".ingest-*"), *home.tables.glob(".tables-*")):
            shutil.rmtree(left)
        yield


def _stored(home: Home, config: IngestConfig) -> Tables | None:
    try:
        tables = Tables.open(home.tables)
    except MissingError:
        return None
    read_manifest(tables.folder)
    if tables.origin != config.origin:
        stored, new = (f"sample {name}" if name else "a retailer's own data" for name in (tables.origin, config.origin))
        raise ConfigError("RECSYS_HOME", f"{home.root} holds {stored}; for {new} set RECSYS_HOME to another folder")
    if tables.zone != config.timezone:
        rule = f"the stored tables cut days in {tables.zone}, not {config.timezone}; use another home"
        raise ConfigError("timezone", rule)
    return tables


def _read_all(
    connection: duckdb.DuckDBPyConnection, config: IngestConfig, work: Path, progress: Progress
) -> tuple[TableReport, ...]:
    latest = config.latest or datetime.now(UTC) + timedelta(days=1)
    if latest.tzinfo is None:
        latest = latest.replace(tzinfo=ZoneInfo(config.timezone))
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
