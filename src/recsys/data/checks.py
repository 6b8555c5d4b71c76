"""The rules that hold row by row: a pandera schema made from the declared columns."""

import warnings
from collections.abc import Callable
from datetime import datetime

import duckdb
import pandas as pd
import pandera.pandas as pa
import pyarrow
from pandera.errors import SchemaErrors

from recsys.data.schema import DATE, FLAG, NUMBER, TEXT, TIME, Column, Table

CHUNK = 200_000
EARLIEST = datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are naive UTC
TYPES: dict[str, pyarrow.DataType] = {
    TEXT: pyarrow.string(),
    NUMBER: pyarrow.float64(),
    TIME: pyarrow.timestamp("us"),
    DATE: pyarrow.date32(),
    FLAG: pyarrow.bool_(),
}
UNKNOWN = "must be known"


def find_broken(
    connection: duckdb.DuckDBPyConnection, table: Table, latest: datetime, progress: Callable[[str, int, int], None]
) -> None:
    """Create broken_<table> (_source, _row, rule): the rows of staged_<table> that break a rule, with the first one.

    latest: naive UTC; rows that came to be after it are broken.
    """
    name = table.name
    connection.execute(
        f"CREATE TABLE broken_{name} AS "
        f"SELECT _source, _row, _uncast AS rule FROM staged_{name} WHERE _uncast IS NOT NULL"
    )
    schema = row_rules(table, latest)
    columns = ", ".join(["_source", "_row", *schema.columns])
    total = connection.execute(f"SELECT count(*) FROM staged_{name} WHERE _uncast IS NULL").fetchall()[0][0]
    with connection.cursor() as reading:
        staged = reading.sql(f"SELECT {columns} FROM staged_{name} WHERE _uncast IS NULL")
        done = 0
        for chunk in staged.to_arrow_reader(CHUNK):
            found = _broken(schema, chunk.to_pandas(types_mapper=pd.ArrowDtype))
            if len(found):
                connection.register("found", pyarrow.Table.from_pandas(found, preserve_index=False))
                connection.execute(f"INSERT INTO broken_{name} SELECT _source, _row, rule FROM found")
                connection.unregister("found")
            done += chunk.num_rows
            progress(f"check {name}", done, total)


def row_rules(table: Table, latest: datetime) -> pa.DataFrameSchema:
    """Return the rules of a table's rows; the texts of its checks name the column and what it must be."""
    columns = {column.name: _column(column, table, latest) for column in table.columns if column.type in TYPES}
    checks = []
    if table.either:
        either = list(table.either)
        checks.append(
            pa.Check(
                lambda frame: frame[either].notna().any(axis=1),
                ignore_na=False,
                error=f"{' or '.join(either)} {UNKNOWN}",
            )
        )
    return pa.DataFrameSchema(columns, checks=checks)


def _column(column: Column, table: Table, latest: datetime) -> pa.Column:
    checks = []
    if column.above is not None:
        checks.append(pa.Check.gt(column.above, error=f"{column.name} must be above {column.above:g}"))
    if column.least is not None:
        checks.append(pa.Check.ge(column.least, error=f"{column.name} must be at least {column.least:g}"))
    if column.among is not None:
        checks.append(pa.Check.isin(column.among, error=f"{column.name} must be one of {', '.join(column.among)}"))
    if column.name == table.time:
        text = f"{column.name} must lie between {EARLIEST.date()} and {latest.date()}"
        checks.append(pa.Check.in_range(EARLIEST, latest, error=text))
    return pa.Column(pd.ArrowDtype(TYPES[column.type]), nullable=not column.required, checks=checks)


def _broken(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return _source, _row and rule of the frame's broken rows, one row each."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pandera joins failures of several types with pandas.concat
            schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return frame.iloc[:0]
    order = {name: rank for rank, name in enumerate(schema.columns)}
    whole = cases["schema_context"] == "DataFrameSchema"
    cases = cases.assign(
        rank=cases["column"].map(order).mask(whole, len(order)),
        rule=cases["check"].where(cases["check"] != "not_nullable", cases["column"] + f" {UNKNOWN}"),
    )
    first = cases.sort_values(["index", "rank", "rule"]).drop_duplicates("index").set_index("index")
    return frame.loc[first.index, ["_source", "_row"]].assign(rule=first["rule"].astype(str))
