"""How often members come back."""

from recsys.core.errors import TableError
from recsys.data.snapshot import Snapshot


def gap_quantile(snapshot: Snapshot, quantile: float) -> float:
    """Return a quantile, in days, of the gaps between a member's successive purchase days, over all members.

    quantile: 0..1, between two gaps the value lies on the line between them. Goods brought back are no purchase.
    Raises `TableError` when nobody bought on two days.
    """
    with snapshot.connect() as connection:
        found = connection.execute(
            "WITH days AS (SELECT DISTINCT member_id, day FROM orders WHERE NOT is_return), "
            "gaps AS (SELECT day - lag(day) OVER (PARTITION BY member_id ORDER BY day) AS gap FROM days) "
            "SELECT quantile_cont(gap, CAST($quantile AS DOUBLE)) FROM gaps",
            {"quantile": quantile},
        ).fetchall()
    if found[0][0] is None:
        raise TableError("orders", f"no member bought on two days before {snapshot.as_of}")
    return float(found[0][0])
