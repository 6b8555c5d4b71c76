"""What happened after as_of: the only code that reads the future, for training and its proof."""

import pandas as pd
import pyarrow as pa

from recsys.core.errors import ConfigError
from recsys.core.frames import Labels, Rows
from recsys.core.time import Window
from recsys.data.schema import UNKNOWN_CATEGORY
from recsys.data.tables import Tables

PURCHASES = f"""
    SELECT o.member_id, o.product_id, coalesce(p.category, '{UNKNOWN_CATEGORY}') AS category, o.day
    FROM orders o LEFT JOIN products p USING (product_id)
    WHERE NOT o.is_return AND o.day >= $start AND o.day < $end
"""
STAYED_AWAY = "CAST(first_day IS NULL AS INTEGER) AS y"
BOUGHT = "CAST(first_day IS NOT NULL AS INTEGER) AS y"
WAITED = "CAST(first_day - $start AS DOUBLE) AS days, CAST($end - $start AS DOUBLE) AS observed"
OUTCOMES = {"churn": STAYED_AWAY, "new_product": BOUGHT, "recommend": BOUGHT, "repurchase": WAITED}


def label(tables: Tables, rows: Rows) -> Labels:
    """Look up what happened to the rows in [as_of, as_of + horizon); goods brought back are no purchase.

    churn: y = 1 when the member bought nothing. new_product, recommend: y = 1 when the member bought the product.
    repurchase: `days` to the next purchase day in the category and `observed`, the days of the window, which is cut at
        the end of the data.
    Raises `ConfigError` when the data end before the window does (for repurchase: before it begins), or cut days in
    another time zone.
    """
    task = rows.task
    window = _window(tables, rows)
    index = pa.array(range(len(rows)), pa.int64())
    texts = {name: pa.array(rows.keys[name], pa.string()) for name in task.keys}
    named = ", ".join(task.keys)
    with tables.connect() as connection:
        connection.register("wanted", pa.table({**texts, "row": index}))
        y = connection.execute(
            f"WITH purchases AS ({PURCHASES}), "
            f"seen AS (SELECT {named}, min(day) AS first_day FROM purchases GROUP BY {named}) "
            f"SELECT {OUTCOMES[task.name]} FROM wanted LEFT JOIN seen USING ({named}) ORDER BY wanted.row",
            {"start": window.start.number, "end": window.end.number},
        ).df()
    return Labels(pd.DataFrame(y), window)


def _window(tables: Tables, rows: Rows) -> Window:
    task = rows.task
    left = Window(rows.as_of, tables.end).days
    if task.censored_from is not None and left > 0:
        return Window.after(rows.as_of, days=min(task.horizon, left))
    if task.horizon > left:
        raise ConfigError(
            "as_of", f"labels of {task.name} at {rows.as_of} look {task.horizon} days on; data have {left}"
        )
    return Window.after(rows.as_of, days=task.horizon)
