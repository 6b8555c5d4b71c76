"""What happened after as_of: the only code that reads the future, for training and its proof."""

import pandas as pd
import pyarrow as pa

from recsys.core.errors import ConfigError
from recsys.core.frames import Labels, Rows
from recsys.core.time import Window
from recsys.data.engine import subcategory_of
from recsys.data.schema import UNKNOWN_CATEGORY
from recsys.data.tables import Tables
from recsys.labels.margins import USUAL, Margins

MONEY = "DECIMAL(18, 4)"  # sums of decimals do not depend on the order in which they are added
PURCHASES = f"""
    SELECT o.member_id, o.product_id, coalesce(p.category, '{UNKNOWN_CATEGORY}') AS category,
           {subcategory_of("p")} AS subcategory, o.day,
           CAST(o.amount AS {MONEY}) AS money,
           CAST(o.amount - (1 - coalesce(m.share, $share)) * (o.amount + coalesce(o.discount, 0)) AS {MONEY}) AS margin
    FROM orders o LEFT JOIN products p USING (product_id)
    LEFT JOIN margins m ON m.category = coalesce(p.category, '{UNKNOWN_CATEGORY}')
    WHERE NOT o.is_return AND o.day >= $start AND o.day < $end
"""
STAYED_AWAY = "CAST(first_day IS NULL AS INTEGER) AS y"
BOUGHT = "CAST(first_day IS NOT NULL AS INTEGER) AS y"
NEXT = (
    "CAST(first_day IS NOT NULL AND first_day = next_day AS INTEGER) AS y, "
    "CAST(first_day IS NOT NULL AS INTEGER) AS soon"
)
WAITED = "CAST(first_day - $start AS DOUBLE) AS days, CAST($end - $start AS DOUBLE) AS observed"
SPENT = (
    "CAST(coalesce(days, 0) AS DOUBLE) AS purchases, "
    "CAST(coalesce(money, 0) AS DOUBLE) AS money, CAST(coalesce(margin, 0) AS DOUBLE) AS margin"
)
OUTCOMES = {
    "churn": STAYED_AWAY,
    "new_product": BOUGHT,
    "recommend": NEXT,
    "recommend_subcategory": NEXT,
    "repurchase": WAITED,
    "value": SPENT,
}


def label(tables: Tables, rows: Rows, margins: Margins = USUAL) -> Labels:
    """Look up what happened to the rows in [as_of, as_of + horizon); goods brought back are no purchase.

    churn: y = 1 when the member bought nothing. new_product: y = 1 when the member bought the product.
    recommend, recommend_subcategory: y = 1 when the product, or one of the subcategory, lay in the member's next
        basket: all that the member bought on the first purchase day of the window; soon = 1 when it was bought on any
        day of the window.
    repurchase: `days` to the next purchase day in the category and `observed`, the days of the window, which is cut at
        the end of the data.
    value: `purchases`, the member's purchase days, the `money` paid on them and its `margin`.
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
        connection.register("margins", _shares(margins))
        y = connection.execute(
            f"WITH purchases AS ({PURCHASES}), "
            f"seen AS (SELECT {named}, min(day) AS first_day, count(DISTINCT day) AS days, "
            "min(min(day)) OVER (PARTITION BY member_id) AS next_day, "
            f"sum(money) AS money, sum(margin) AS margin FROM purchases GROUP BY {named}) "
            f"SELECT {OUTCOMES[task.name]} FROM wanted LEFT JOIN seen USING ({named}) ORDER BY wanted.row",
            {"start": window.start.number, "end": window.end.number, "share": margins.share},
        ).df()
    return Labels(pd.DataFrame(y), window)


def _shares(margins: Margins) -> pa.Table:
    names, shares = list(margins.categories), list(margins.categories.values())
    return pa.table({"category": pa.array(names, pa.string()), "share": pa.array(shares, pa.float64())})


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
