"""A task's rows put together from its views, wherever these lie."""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.core.frames import Rows
from recsys.core.task import FeatureSpec, Task, View
from recsys.core.time import AsOf
from recsys.features.catalog import features_of

Places = Mapping[View, str]
"""What to select each view from, in SQL."""


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
) -> Rows:
    """Read a task's rows: its first view where `task.where` holds, with its other views joined on their keys.

    members: those whose rows are wanted; None = all.
    A view is joined on its keys among the columns read so far, so a product's `category` can bring the category's own
    features. Values are the features of `task.views`, views in the task's order and features in catalogue order; a row
    that another view does not know has NaN and None there. Numbers are float32, which is what every model keeps of
    them. Rows are ordered by their keys.
    """
    specs = _specs(task)
    first, *others = task.views
    wanted = "" if members is None else "AND member_id IN (SELECT member_id FROM wanted)"
    plain = "SELECT * EXCLUDE (event_timestamp, created_timestamp)"
    sql = f"({plain} FROM {places[first]} WHERE ({task.where}) {wanted})"
    for view in others:
        sql = f"(FROM {sql} LEFT JOIN ({plain} FROM {places[view]}) USING ({', '.join(view.keys)}))"
    columns = [*task.keys, *(_cast(spec) for spec in specs if spec.name not in task.keys)]
    if members is not None:
        connection.register("wanted", pa.table({"member_id": pa.array(list(members), pa.string())}))
    ordered = f"SELECT {', '.join(columns)} FROM {sql} ORDER BY {', '.join(task.keys)}"
    return rows_of(connection.sql(ordered).to_arrow_table(), task, as_of)


def rows_of(table: "pa.Table", task: Task, as_of: AsOf) -> Rows:
    """Lay out rows of a table with the columns of a task's keys and features, these in single precision."""
    specs = _specs(task)
    return Rows(task, as_of, _texts(table, task.keys), _values(table, specs), specs)


def _specs(task: Task) -> tuple[FeatureSpec, ...]:
    return tuple(spec for view in task.views for spec in features_of(view))


def _cast(spec: FeatureSpec) -> str:
    return spec.name if spec.kind == "category" else f"CAST({spec.name} AS FLOAT) AS {spec.name}"


def _values(table: "pa.Table", specs: Sequence[FeatureSpec]) -> pd.DataFrame:
    """Lay the numbers in one block as they come, as pandas would copy them twice to do so."""
    numbers = [spec.name for spec in specs if spec.kind == "number"]
    block = np.empty((len(numbers), len(table)), dtype=np.float32)
    for at, name in enumerate(numbers):
        block[at] = table.column(name).to_numpy()
    names = [spec.name for spec in specs]
    values = pd.DataFrame(block.T, columns=numbers, copy=False)
    texts = [name for name in names if name not in values]
    return values if not texts else pd.concat([values, _texts(table, texts)], axis=1)[names]


def _texts(table: "pa.Table", names: Sequence[str]) -> pd.DataFrame:
    columns = {name: pd.Series(table.column(name).to_numpy(zero_copy_only=False), dtype=object) for name in names}
    return pd.DataFrame(columns)
