"""How sensitive members are to promotions: what they buy on discount against what was on offer to them."""

import duckdb
import numpy as np
import pandas as pd

from recsys.data.schema import UNKNOWN_CATEGORY

PERIOD, PERIODS = 28, 13
"""Offers are those of a category within so many days; so many such periods back are looked at."""
CELL_LINES = 20
"""A category's period counts like so many lines at the shop's own rate beside those that are there."""
OWN_LINES = 3.0
"""Lifts are drawn to 1 as if so many expected lines on discount more had been bought."""
LEAST_LINES = 10
"""Fewer order lines tell nothing."""
LEAST_EXPECTED = 1.0
"""Where less than so many lines on discount were to be expected, there was nothing to choose."""
_MICRO = 1_000_000

# Of each cell the member's own lines are left out, so that what is on offer is not what the member took of it. Sums are
# of integers, as those do not depend on the order in which an engine adds them.
LINES = f"""
    WITH kind AS (
        SELECT product_id, dense_rank() OVER (ORDER BY category) AS category
        FROM products WHERE category <> '{UNKNOWN_CATEGORY}'
    ),
    line AS (
        SELECT o.member_id, coalesce(kind.category, 0) AS category, ($day - 1 - o.day) // {PERIOD} AS period,
               count(*) AS lines, count(CASE WHEN o.discount > 0 THEN 1 END) AS cut,
               CAST(sum(CAST(round((o.amount + o.discount) * 10000) AS BIGINT)) AS BIGINT) AS listed,
               CAST(sum(CAST(round(o.discount * 10000) AS BIGINT)) AS BIGINT) AS off
        FROM orders o LEFT JOIN kind USING (product_id)
        WHERE NOT o.is_return AND o.day >= $day - {PERIOD * PERIODS}
        GROUP BY ALL
    ),
    cell AS (
        SELECT category, period, CAST(sum(lines) AS BIGINT) AS lines, CAST(sum(cut) AS BIGINT) AS cut,
               CAST(sum(listed) AS BIGINT) AS listed, CAST(sum(off) AS BIGINT) AS off
        FROM line GROUP BY ALL
    ),
    whole AS (
        SELECT sum(cut) / sum(lines) AS share, sum(off) / nullif(sum(listed), 0) AS depth,
               sum(listed) / sum(lines) AS price, sum(off) / nullif(sum(cut), 0) AS off_a_cut
        FROM cell
    ),
    seen AS (
        SELECT line.member_id, line.lines, line.cut, line.off,
               line.lines * (cell.cut - line.cut + {CELL_LINES} * share) / (cell.lines - line.lines + {CELL_LINES})
                   AS expected,
               line.listed * (cell.off - line.off + {CELL_LINES} * price * depth)
                   / nullif(cell.listed - line.listed + {CELL_LINES} * price, 0) AS expected_off,
               off_a_cut
        FROM line JOIN cell ON cell.category = line.category AND cell.period = line.period CROSS JOIN whole
    )
    SELECT member_id, CAST(sum(lines) AS BIGINT) AS lines, CAST(sum(cut) AS BIGINT) AS cut,
           CAST(sum(off) AS BIGINT) AS off,
           sum(CAST(round(expected * {_MICRO}) AS BIGINT)) / {_MICRO} AS expected,
           sum(CAST(round(expected_off) AS BIGINT)) AS expected_off, max(off_a_cut) AS off_a_cut
    FROM seen GROUP BY member_id ORDER BY member_id
"""


def promotion(connection: duckdb.DuckDBPyConnection, day: int) -> pd.DataFrame:
    """Return member_id and the tags promotion_share_lift, promotion_depth_lift and promotion_index; NaN = unknown.

    connection: of a snapshot of the day. Members of too few lines, or to whom too little was offered, are unknown; so
    is everybody in a shop without discounts.
    """
    told = connection.execute(LINES, {"day": day}).df()
    numbers = {name: told[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in told.columns[1:]}
    enough = (numbers["lines"] >= LEAST_LINES) & (numbers["expected"] >= LEAST_EXPECTED)
    share = (numbers["cut"] + OWN_LINES) / (numbers["expected"] + OWN_LINES)
    drawn = OWN_LINES * numbers["off_a_cut"]
    depth = (numbers["off"] + drawn) / (numbers["expected_off"] + drawn)
    lifts = {
        "promotion_share_lift": share,
        "promotion_depth_lift": depth,
        "promotion_index": np.sqrt(share * depth),
    }
    known = {name: np.where(enough, values, np.nan) for name, values in lifts.items()}
    return pd.DataFrame({"member_id": told["member_id"], **known})
