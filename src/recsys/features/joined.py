"""A task's rows put together from its views, wherever these lie."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.core.frames import Rows
from recsys.core.task import FeatureSpec, Task, View
from recsys.core.time import AsOf
from recsys.data.engine import quoted
from recsys.features.catalog import features_of

PLACE = "file_row_number"
"""What numbers the rows of a view in the order of its keys; the name that DuckDB gives it in files."""

Places = Mapping[View, str]
"""What to select each view from, in SQL, with a column `PLACE` beside those of the view."""


def joined_keys(connection: duckdb.DuckDBPyConnection, places: Places, task: Task) -> pd.DataFrame:
    """Read the (n, k) keys of a task's rows, ordered."""
    names = ", ".join(task.keys)
    sql = f"SELECT {names} FROM {places[task.views[0]]} WHERE {task.where} ORDER BY {names}"
    return connection.execute(sql).df()


def joined_rows(
    connection: duckdb.DuckDBPyConnection,
    places: Places,
    task: Task,
    as_of: AsOf,
    members: Sequence[str] | None = None,
    wanted: Container[str] | None = None,
) -> Rows:
    """Read a task's rows: its first view where `task.where` holds, with its other views joined on their keys.

    members: those whose rows are wanted; None = all. wanted: names of features, the others are not read; None = all.
    A view is joined on its keys among the columns read so far, so a product's `category` can bring the category's own
    features. Values are the features of `task.views`, views in the task's order and features in catalogue order; a row
    that another view does not know has NaN and None there. Numbers are float32, which is what every model keeps of
    them. Rows are ordered by their keys.
    """
    first, *others = task.views
    between = "" if members is None else _between(members)
    theirs = "" if members is None else f"AND member_id IN (SELECT member_id FROM wanted_member) AND {between}"
    plain = "SELECT * EXCLUDE (event_timestamp, created_timestamp)"
    sql = f"({plain} FROM {places[first]} WHERE ({task.where}) {theirs})"
    for view in others:
        near = f"WHERE {between}" if between and "member_id" in view.keys else ""
        joined = f"SELECT * EXCLUDE ({PLACE}, event_timestamp, created_timestamp) FROM {places[view]} {near}"
        sql = f"(FROM {sql} LEFT JOIN ({joined}) USING ({', '.join(view.keys)}))"
    columns = [PLACE, *told_columns(task, wanted)]
    if members is not None:
        connection.register("wanted_member", pa.table({"member_id": pa.array(list(members), pa.string())}))
    table = connection.sql(f"SELECT {', '.join(columns)} FROM {sql}").to_arrow_table()
    return rows_of(table, task, as_of, wanted)


def told_columns(task: Task, wanted: Container[str] | None = None) -> list[str]:
    """Return the SQL, the same on every engine, of a task's keys and wanted features, numbers in single precision."""
    return [*task.keys, *(_cast(spec) for spec in _specs(task, wanted) if spec.name not in task.keys)]


def rows_of(table: "pa.Table", task: Task, as_of: AsOf, wanted: Container[str] | None = None) -> Rows:
    """Lay out rows of a table with the columns of a task's keys and wanted features, these in single precision.

    Where it has a column `PLACE`, the rows are laid in the order of it.
    """
    place = table.column(PLACE).to_numpy() if PLACE in table.column_names else np.arange(0)
    order = np.argsort(place) if np.any(np.diff(place) < 0) else None
    specs = _specs(task, wanted)
    return Rows(task, as_of, _names(table, task.keys, order), _values(table, specs, order), specs)


def _between(members: Sequence[str]) -> str:
    """Say in SQL what spares the engine most of a file, whose rows lie in the order of member_id."""
    if not members:
        return "false"
    return f"member_id BETWEEN {quoted(min(members))} AND {quoted(max(members))}"


def _specs(task: Task, wanted: Container[str] | None) -> tuple[FeatureSpec, ...]:
    return tuple(spec for view in task.views for spec in features_of(view, wanted))


def _cast(spec: FeatureSpec) -> str:
    return spec.name if spec.kind == "category" else f"CAST({spec.name} AS FLOAT) AS {spec.name}"


def _values(table: "pa.Table", specs: Sequence[FeatureSpec], order: "np.ndarray | None") -> pd.DataFrame:
    """Lay the numbers in one block as they come, as pandas would copy them twice to do so."""
    numbers = [spec.name for spec in specs if spec.kind == "number"]
    block = np.empty((len(numbers), len(table)), dtype=np.float32)
    for at, name in enumerate(numbers):
        start = 0
        for chunk in table.column(name).chunks:
            block[at, start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
            start += len(chunk)
        if order is not None:
            block[at] = block[at, order]
    values = pd.DataFrame(block.T, columns=numbers, copy=False)
    for at, spec in enumerate(specs):
        if spec.name not in values:
            values.insert(at, spec.name, pd.Series(_labels(table.column(spec.name), order), dtype=object))
    return values


def _labels(column: "pa.ChunkedArray[Any]", order: "np.ndarray | None") -> "np.ndarray":
    """(n,) texts of a column that has few different ones, each of them one object; None = unknown."""
    encoded: Any = column.combine_chunks().dictionary_encode()
    told = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    codes: np.ndarray = encoded.indices.fill_null(len(told) - 1).to_numpy()
    return np.asarray(told[codes if order is None else codes[order]])


def _names(table: "pa.Table", names: Sequence[str], order: "np.ndarray | None") -> pd.DataFrame:
    columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in names}
    return pd.DataFrame({name: told if order is None else told[order] for name, told in columns.items()}, dtype=object)
