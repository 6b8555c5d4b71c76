"""Bad rows set apart, with the rule they broke and the place they came from."""

import uuid
from pathlib import Path

import duckdb

from recsys.data.engine import named, quoted


def write_quarantine(connection: duckdb.DuckDBPyConnection, table: str, root: Path) -> None:
    """Replace root/<table>.parquet with this run's bad rows; when there are none it goes.

    Columns: rule; source (file, table or "query"); row (from 1; of a line that cannot be read, the line); source_row
    (the source's own columns as JSON).
    """
    target = root / f"{table}.parquet"
    own = [
        row[0] for row in connection.execute(f"DESCRIBE raw_{table}").fetchall() if row[0] not in ("_source", "_row")
    ]
    packed = ", ".join(f"{quoted(name)}: raw.{named(name)}" for name in own)
    bad = (
        f"SELECT rule, _source AS source, _row AS row, CAST(to_json({{{packed}}}) AS VARCHAR) AS source_row "
        f"FROM broken_{table} JOIN raw_{table} raw USING (_source, _row) UNION ALL "
        f"SELECT reason, _source, _row, CAST(to_json({{'line': line}}) AS VARCHAR) FROM unread_{table} "
        "ORDER BY source, row"
    )
    if not connection.execute(f"SELECT count(*) FROM ({bad})").fetchall()[0][0]:
        target.unlink(missing_ok=True)
        return
    root.mkdir(parents=True, exist_ok=True)
    aside = root / f".{table}.{uuid.uuid4().hex}"
    connection.execute(f"COPY ({bad}) TO {quoted(str(aside))} (FORMAT parquet)")
    aside.replace(target)
