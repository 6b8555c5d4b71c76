import pandas as pd

from recsys.core.time import Window
from recsys.data.tables import Tables


def bought(tables: Tables, window: Window) -> pd.DataFrame:
    """List what members bought within a window, returns left out.

    Columns: member_id, product_id, text, a pair once; `repeat`, whether the member had bought the product before.
    """
    with tables.connect() as connection:
        return connection.execute(
            """
            SELECT member_id, product_id, min(day) < $start AS repeat
            FROM orders
            WHERE NOT is_return AND day < $end
            GROUP BY member_id, product_id
            HAVING max(day) >= $start
            ORDER BY member_id, product_id
            """,
            {"start": window.start.number, "end": window.end.number},
        ).df()
