import pandas as pd

from recsys.core.time import Window
from recsys.data.engine import subcategory_of
from recsys.data.tables import Tables


def bought(tables: Tables, window: Window, item: str) -> pd.DataFrame:
    """List what members bought within a window, returns left out.

    item: "product_id" or "subcategory", which says what is listed.
    Columns: member_id and the item, text, a pair once; `repeat`, whether the member had bought the item before; `next`,
    whether it lay in the member's next basket: all purchases of the first purchase day of the window.
    """
    named = {"product_id": "o.product_id", "subcategory": subcategory_of("p")}[item]
    with tables.connect() as connection:
        return connection.execute(
            f"""
            WITH seen AS (
                SELECT o.member_id, {named} AS {item}, min(o.day) AS first_day,
                       min(CASE WHEN o.day >= $start THEN o.day END) AS day
                FROM orders o LEFT JOIN products p USING (product_id)
                WHERE NOT o.is_return AND o.day < $end
                GROUP BY ALL
                HAVING max(o.day) >= $start
            )
            SELECT member_id, {item}, first_day < $start AS repeat, day = min(day) OVER (PARTITION BY member_id) AS next
            FROM seen
            ORDER BY member_id, {item}
            """,
            {"start": window.start.number, "end": window.end.number},
        ).df()
