"""Purchases as sparse matrices: members by items, a visit being a purchase day."""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.expression import Relation
from recsys.features.level import Level

Codes = np.ndarray[Any, np.dtype[np.int64]]


def ago_relation(name: str) -> Relation:
    """Draft one row for each member who agrees to personal answers, item and visit; ago: the member's later visits.

    name: what an item is: product, subcategory or category.
    """
    return Relation(
        f"member_{name}_ago",
        f"""
        SELECT bought.member_code, {name}_code, member_day.recent - 1 AS ago
        FROM member_{name}_day AS bought
        JOIN member_day ON member_day.member_code = bought.member_code AND member_day.day = bought.day
        JOIN member_spine ON member_spine.member_code = bought.member_code
        ORDER BY bought.member_code
        """,
    )


@dataclass(frozen=True)
class Visits:
    """What some members bought of some items.

    counts: (n,) visits of each member. items: how many there are.
    rows, columns, ago: (l,) a member's place, an item's place and the member's later visits, one an item and visit,
        ordered.
    """

    counts: Codes
    items: int
    rows: Codes
    columns: Codes
    ago: Codes

    def matrix(self, weights: "np.ndarray", chosen: "np.ndarray | None" = None) -> csr_matrix:
        """(n, items) sums of the weights (l,) of the chosen lines, of all when None."""
        kept = slice(None) if chosen is None else chosen
        shape = (len(self.counts), self.items)
        return csr_matrix((weights[kept], (self.rows[kept], self.columns[kept])), shape=shape)

    def bought(self) -> csr_matrix:
        """(n, items) ones where the member ever bought the item."""
        matrix = self.matrix(np.ones(len(self.rows)))
        matrix.data[:] = 1
        return matrix


def read_visits(connection: duckdb.DuckDBPyConnection, level: Level, members: Codes, items: Codes) -> Visits:
    """Read the visits of members, whose codes may come in any order, to items, whose codes ascend."""
    counts = np.zeros(len(members), dtype=np.int64)
    if not len(members):
        none = np.empty(0, dtype=np.int64)
        return Visits(counts, len(items), none, none, none)
    order = np.argsort(members)
    ascending = members[order]
    span = f"member_code BETWEEN {ascending[0]} AND {ascending[-1]}"
    member, item, ago = numbers(
        connection,
        f"SELECT member_code, {level.code}, ago FROM member_{level.name}_ago WHERE {span} ORDER BY ALL",
    )
    code, visits = numbers(
        connection, f"SELECT member_code, max(nth) FROM member_day WHERE {span} GROUP BY ALL ORDER BY ALL"
    )
    known = np.isin(code, ascending)
    counts[order[np.searchsorted(ascending, code[known])]] = visits[known]
    kept = np.isin(member, ascending) & np.isin(item, items)
    rows = order[np.searchsorted(ascending, member[kept])]
    return Visits(counts, len(items), rows, np.searchsorted(items, item[kept]), ago[kept])


def numbers(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Codes, ...]:
    """Fetch a query's columns, all whole numbers without nulls, as (n,) arrays."""
    columns = connection.execute(sql).fetchnumpy().values()
    return tuple(np.asarray(column).astype(np.int64) for column in columns)
