"""Bring a source's rows into the working database as they are, each with the place it came from."""

import fnmatch
from collections.abc import Callable
from pathlib import Path

import duckdb

from recsys.core.errors import TableError
from recsys.data.csv_source import csv_relation
from recsys.data.engine import named, quoted
from recsys.data.mapping import FilesSource, SqlSource, TableMapping
from recsys.data.sql_source import read_database

SUFFIXES = (".parquet", ".csv", ".csv.gz")

Progress = Callable[[str, int, int], None]


def read_source(
    connection: duckdb.DuckDBPyConnection,
    source: FilesSource | SqlSource,
    table: str,
    mapping: TableMapping | None,
    work: Path,
    progress: Progress,
) -> bool:
    """Create raw_<table>: the source's columns, `_source` (its name) and `_row` (from 1); false when it is not there.

    CSV and database values arrive as text, so that one odd value cannot spoil a column. Lines of a CSV file that cannot
    be split into columns stand in unread_<table> (_source, _row = the line, line, reason) instead.
    mapping: None = the table is taken only if the source has it under its own name.
    work: folder for passing files.
    Raises `TableError` when a mapped table is not there, or a table cannot be read.
    """
    known = mapping or TableMapping()
    connection.execute(f"CREATE TABLE unread_{table} (_source VARCHAR, _row BIGINT, line VARCHAR, reason VARCHAR)")
    if isinstance(source, SqlSource):
        found = read_database(connection, source, table, known, progress)
    else:
        found = _read_files(connection, source, table, known, work)
    if mapping is not None and not found:
        raise TableError(table, f"the source has no {mapping.source or table}")
    return found


def _read_files(
    connection: duckdb.DuckDBPyConnection, source: FilesSource, table: str, mapping: TableMapping, work: Path
) -> bool:
    relations = {file: _relation(table, file, source, work) for file in _wanted(source.folder, mapping, table)}
    if mapping.query is None and not relations:
        return False
    try:
        if mapping.query is not None:
            _read_query(connection, table, mapping.query, relations)
        else:
            parts = [_numbered(relation, file.name) for file, relation in relations.items()]
            connection.execute(f"CREATE TABLE raw_{table} AS {' UNION ALL BY NAME '.join(parts)}")
    except duckdb.Error as error:
        raise TableError(table, str(error).splitlines()[0]) from error
    _note_unread(connection, table)
    return True


def _wanted(folder: Path, mapping: TableMapping, table: str) -> list[Path]:
    """Return the files that a query may name, or that a name, a name without suffix or a glob means, in their order."""
    files = sorted(file for file in folder.glob("*") if file.name.endswith(SUFFIXES))
    if mapping.query is not None:
        return [file for file in files if _stem(file) in mapping.query]
    name = mapping.source or table
    return [file for file in files if name in (file.name, _stem(file)) or fnmatch.fnmatchcase(file.name, name)]


def _stem(file: Path) -> str:
    return file.name.split(".")[0]


def _relation(table: str, file: Path, source: FilesSource, work: Path) -> str:
    if file.suffix == ".parquet":
        return f"read_parquet({quoted(str(file))})"
    return csv_relation(table, file, source, work)


def _numbered(relation: str, name: str) -> str:
    return f"SELECT {quoted(name)} AS _source, row_number() OVER () AS _row, * FROM {relation}"


def _read_query(connection: duckdb.DuckDBPyConnection, table: str, query: str, relations: dict[Path, str]) -> None:
    connection.execute("CREATE SCHEMA source")
    for file, relation in relations.items():
        connection.execute(f"CREATE VIEW source.{named(_stem(file))} AS FROM {relation}")
    connection.execute("SET schema = 'source'")
    connection.execute(f"CREATE TABLE main.raw_{table} AS {_numbered(f'({query})', 'query')}")
    connection.execute("SET schema = 'main'")
    connection.execute("DROP SCHEMA source CASCADE")


def _note_unread(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Move the lines that DuckDB left out to unread_<table>, one row a line."""
    noted = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall()
    if noted[0][0]:
        connection.execute(
            f"INSERT INTO unread_{table} SELECT parse_filename(file_path), line, trim(any_value(csv_line), chr(10)), "
            "'line cannot be read: ' || lower(min(error_type::VARCHAR)) "
            "FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY file_path, line"
        )
        connection.execute("DELETE FROM reject_errors")
