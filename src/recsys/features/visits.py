"""Purchases as sparse matrices: members by items, a visit being a purchase day."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.expression import Relation, recent, within
from recsys.features.level import LEVELS, Level
from recsys.features.stage import Stage
from recsys.features.weight import HALF_LIVES, KEPT, half_life, power, whole

Codes = np.ndarray[Any, np.dtype[np.int64]]


# One row for each purchase day of a member who agrees to personal answers: a visit.
# visit: its ordinal; ago: later visits of the member; visits: how many the member has; usual: mean days between them.
# half_life_*, power_*, kept_*: what a purchase on that day weighs; powers before they are rounded to whole units.
MEMBER_VISIT = Relation(
    "member_visit",
    f"""
    SELECT member_day.member_code, day, nth AS visit, recent - 1 AS ago, visits,
           visit_span / nullif(visits - 1, 0) AS usual,
           {", ".join(f"{half_life(days)} AS half_life_{days}" for days in HALF_LIVES)},
           {", ".join(f"{power(percent)} AS power_{percent}" for percent in KEPT)},
           {", ".join(f"{whole(power(percent))} AS kept_{percent}" for percent in KEPT)}
    FROM member_day
    JOIN member_spine ON member_spine.member_code = member_day.member_code
    JOIN (
        SELECT member_code, count(*) AS visits, max(day) - min(day) AS visit_span FROM member_day GROUP BY member_code
    ) AS totals ON totals.member_code = member_day.member_code
    """,
)


def item_visit_relation(name: str, *columns: str) -> Relation:
    """Draft one row for each visit and item bought at it.

    name: what an item is: product, subcategory or category. columns: taken over from the item's purchases of the day.
    gap, visit_gap: since the item's visit before, in days and in visits; recent: 1 = the item's latest visit.
    """
    code = f"{name}_code"
    one = f"PARTITION BY member_code, {code} ORDER BY day"
    return Relation(
        f"member_{name}_visit",
        f"""
        WITH bought AS (
            SELECT bought.member_code, {code}, bought.day, {", ".join(columns)}, visit, ago, kept_90
            FROM member_{name}_day AS bought
            JOIN member_visit ON member_visit.member_code = bought.member_code AND member_visit.day = bought.day
        )
        SELECT *, day - lag(day) OVER one AS gap, visit - lag(visit) OVER one AS visit_gap, {recent(one)} AS recent
        FROM bought
        WINDOW one AS ({one})
        ORDER BY member_code
        """,
    )


# What lay in one basket: a member's products of one day within the last year.
PRODUCT_BASKET_LINE = Relation(
    "product_basket_line",
    f"""
    SELECT bought.member_code, day, product_code
    FROM member_product_day AS bought JOIN member_spine ON member_spine.member_code = bought.member_code
    WHERE {within(365)}
    """,
    stored=False,
)


def run_relation(level: Level) -> Relation:
    """Draft how often an item's buyers came so many visits after a purchase of it, and bought it then or not yet.

    visits: after the purchase; bought: 1 = the item at the last of them and not before, 0 = not at all so far.
    """
    code = level.code
    return Relation(
        f"{level.name}_run",
        f"""
        WITH bought AS (
            SELECT bought.member_code, {code}, nth, member_day.recent - 1 AS ago
            FROM member_{level.name}_day AS bought
            JOIN member_spine ON member_spine.member_code = bought.member_code
            JOIN member_day ON member_day.member_code = bought.member_code AND member_day.day = bought.day
        ),
        followed AS (
            SELECT {code}, nth, ago, lead(nth) OVER (PARTITION BY member_code, {code} ORDER BY nth) AS later FROM bought
        )
        SELECT {code}, coalesce(later - nth, ago) AS visits, CASE WHEN later IS NULL THEN 0 ELSE 1 END AS bought,
               count(*) AS runs
        FROM followed
        GROUP BY {code}, coalesce(later - nth, ago), CASE WHEN later IS NULL THEN 0 ELSE 1 END
        """,
    )


SOURCES = (
    MEMBER_VISIT,
    item_visit_relation("product", "quantity"),
    item_visit_relation("subcategory", "quantity"),
    item_visit_relation("category", "money", "discount", "quantity"),
)
RUNS = tuple(run_relation(level) for level in LEVELS)


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

    def of(self, start: int, end: int) -> Self:
        """Take the members whose places lie in [start, end); the rows must ascend."""
        first, last = np.searchsorted(self.rows, [start, end])
        lines = (self.rows[first:last] - start, self.columns[first:last], self.ago[first:last])
        return type(self)(self.counts[start:end], self.items, *lines)

    def matrix(self, weights: "np.ndarray") -> csr_matrix:
        """(n, items) sums of the weights (l,) of the lines; all that the members ever bought is held, be it 0."""
        return csr_matrix((weights, (self.rows, self.columns)), shape=(len(self.counts), self.items))

    def bought(self) -> csr_matrix:
        """(n, items) ones where the member ever bought the item."""
        matrix = self.matrix(np.ones(len(self.rows)))
        matrix.data[:] = 1
        return matrix


def read_visits(stage: Stage, level: Level, members: Codes, items: Codes) -> Visits:
    """Read the visits of members, whose codes may come in any order, to items, whose codes ascend."""
    counts = np.zeros(len(members), dtype=np.int64)
    if not len(members):
        none = np.empty(0, dtype=np.int64)
        return Visits(counts, len(items), none, none, none)
    order = np.argsort(members)
    ascending = members[order]
    span = f"member_code BETWEEN {ascending[0]} AND {ascending[-1]}"
    member, item, ago = numbers(
        stage, f"SELECT member_code, {level.code}, ago FROM member_{level.name}_visit WHERE {span} ORDER BY ALL"
    )
    code, visits = numbers(
        stage, f"SELECT member_code, max(nth) FROM member_day WHERE {span} GROUP BY ALL ORDER BY ALL"
    )
    known = np.isin(code, ascending)
    counts[order[np.searchsorted(ascending, code[known])]] = visits[known]
    kept = np.isin(member, ascending) & np.isin(item, items)
    rows = order[np.searchsorted(ascending, member[kept])]
    return Visits(counts, len(items), rows, np.searchsorted(items, item[kept]), ago[kept])


def numbers(stage: Stage, sql: str) -> tuple[Codes, ...]:
    """Fetch a query's columns, all whole numbers without nulls, as (n,) arrays."""
    columns = stage.execute(sql).fetchnumpy().values()
    return tuple(np.asarray(column).astype(np.int64) for column in columns)
