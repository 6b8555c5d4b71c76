"""A task's rows by Feast's own point-in-time join, to hold the rows that training reads against."""

import numpy as np
import pandas as pd

from recsys.core.config import Home
from recsys.core.frames import Rows
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.features.catalog import features_of
from training.feature_store import feature_store

ROW = "row_number"


def historical_rows(home: Home, task: Task, as_of: AsOf, keys: pd.DataFrame) -> Rows:
    """Join values to (n, k) keys; a key that the snapshot does not have gets NaN and None.

    Feast drops what is younger than the row's day or was created after it, and the views' time to live drops what is
    older.
    """
    specs = tuple(spec for view in task.views for spec in features_of(view))
    if len(keys):
        return Rows(task, as_of, keys, pd.DataFrame(_joined(home, task, keys, as_of), copy=False), specs)
    none = {spec.name: np.empty(0, np.float64 if spec.kind == "number" else object) for spec in specs}
    return Rows(task, as_of, keys, pd.DataFrame(none), specs)


def _joined(home: Home, task: Task, keys: pd.DataFrame, as_of: AsOf) -> dict[str, np.ndarray]:
    entities = keys.assign(event_timestamp=pd.Timestamp(as_of.instant), **{ROW: np.arange(len(keys))})
    with feature_store(home) as store:
        job = store.get_historical_features(
            entities, features=store.get_feature_service(task.name), filter_by_created_timestamp=True
        )
        table = job.to_arrow()
    order = np.argsort(table.column(ROW).to_numpy())
    assert len(order) == len(entities)
    return {spec.name: table.column(spec.name).to_numpy()[order] for view in task.views for spec in features_of(view)}
