"""What recommendations brought: impressions, clicks and purchases joined to the answers that showed the products."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Self

import duckdb
import pyarrow as pa

from recsys.answers.identity import parse
from recsys.core.errors import RequestError
from recsys.core.time import Window
from recsys.data.engine import connect
from recsys.store.events import Event, EventType

NORMAL_95 = 1.959963984540054
DAY_MICROS = 86_400_000_000
MICROS = 1_000_000
UNKNOWN = "unknown"

Source = tuple[str, str, str | None]


@dataclass(frozen=True)
class Share:
    """A share with its 95% Wilson interval; all None when it is of nothing.

    The interval takes each product shown as drawn by itself; a member who is shown many makes it somewhat too narrow.
    """

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, part: int, whole: int) -> Self:
        """Return part / whole. Source: Wilson, JASA 1927."""
        if whole == 0:
            return cls(None, None, None)
        share, z2 = part / whole, NORMAL_95**2
        middle = share + z2 / (2 * whole)
        reach = NORMAL_95 * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
        scale = 1 + z2 / whole
        return cls(share, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


@dataclass(frozen=True)
class Attributed:
    """What one placement, variant and model version brought in a period.

    model_version: None = no ranking model was published.
    shown: meetings (see `attribute`). clicked: those with a click. bought: those with a purchase owed to a click.
    purchases: owed to a click; purchases_seen: owed to an impression alone. money, money_seen: paid for these, as far
        as it was told.
    """

    placement: str
    variant: str
    model_version: str | None
    shown: int
    clicked: int
    bought: int
    purchases: int
    purchases_seen: int
    money: float
    money_seen: float

    @property
    def click_through(self) -> Share:
        """Of the products shown, those clicked."""
        return Share.of(self.clicked, self.shown)

    @property
    def conversion(self) -> Share:
        """Of the products clicked, those bought after it."""
        return Share.of(self.bought, self.clicked)


def attribute(parts: Iterable[Sequence[Event]], period: Window, *, window_days: int) -> tuple[Attributed, ...]:
    """Join events and sum up, by placement, variant and model version in the order of these names.

    A touch is an impression or a click of a product in a recommendation; a purchase that names a recommendation is a
    click of it too. A meeting is a product in a recommendation from a touch that follows no other within `window_days`
    on; it counts when it begins in `period`, and so in one period only. A purchase is owed to the last click of the
    product by the same person less than `window_days` before, or at the same instant; without one, to the last
    impression; it is owed to one meeting at most. The same person is the member, or the visitor where no member is
    known; a purchase that names both is also owed to what the visitor touched.

    parts: events in the order of the log, from `window_days` before the period on, to the log's end.
    """
    with connect() as connection:
        sources = _load(connection, parts)
        start, end = (int(day.instant.timestamp()) * MICROS for day in (period.start, period.end))
        values = {"window": window_days * DAY_MICROS, "start": start, "end": end}
        rows = connection.execute(_SUMS, values).fetchall()
    sums = [Attributed(*sources[source], *counts) for source, *counts in rows]
    return tuple(sorted(sums, key=lambda one: (one.placement, one.variant, one.model_version or "")))


_SUMS = """
WITH touches AS (
    SELECT n, moment, person, product, recommendation, source, kind <> 'impression' AS click
    FROM events WHERE recommendation IS NOT NULL AND kind IN ('impression', 'click', 'purchase')
), marked AS (
    SELECT *, coalesce(moment - lag(moment) OVER pair >= $window, true) AS new
    FROM touches WINDOW pair AS (PARTITION BY recommendation, product ORDER BY moment, n)
), met AS (
    SELECT * EXCLUDE new, max(moment) FILTER (new) OVER pair AS began
    FROM marked WINDOW pair AS (PARTITION BY recommendation, product ORDER BY moment, n)
), purchases AS (
    SELECT n, moment, person, product, amount FROM events WHERE kind = 'purchase'
    UNION ALL
    SELECT n, moment, visitor, product, amount FROM events WHERE kind = 'purchase' AND visitor IS NOT NULL
), owed AS (
    SELECT m.recommendation, m.product, m.began, m.click, p.amount
    FROM purchases p JOIN met m
      ON m.person = p.person AND m.product = p.product AND m.moment <= p.moment AND p.moment < m.moment + $window
    QUALIFY row_number() OVER (PARTITION BY p.n ORDER BY m.click DESC, m.moment DESC, m.n DESC) = 1
), meetings AS (
    SELECT recommendation, product, began, any_value(source) AS source, bool_or(click) AS clicked
    FROM met WHERE began >= $start AND began < $end GROUP BY ALL
), bought AS (
    SELECT recommendation, product, began,
        count(*) FILTER (click) AS purchases, count(*) FILTER (NOT click) AS purchases_seen,
        coalesce(sum(amount) FILTER (click), 0) AS money, coalesce(sum(amount) FILTER (NOT click), 0) AS money_seen
    FROM owed GROUP BY ALL
)
SELECT source, count(*), count_if(clicked), count_if(coalesce(purchases, 0) > 0),
    coalesce(sum(purchases), 0)::BIGINT, coalesce(sum(purchases_seen), 0)::BIGINT,
    coalesce(sum(money), 0)::DOUBLE, coalesce(sum(money_seen), 0)::DOUBLE
FROM meetings LEFT JOIN bought USING (recommendation, product, began)
GROUP BY source
"""

_TYPES: dict[str, pa.DataType] = {
    "n": pa.int64(),
    "kind": pa.string(),
    "moment": pa.int64(),
    "person": pa.string(),
    "visitor": pa.string(),
    "product": pa.string(),
    "recommendation": pa.string(),
    "source": pa.int64(),
    "amount": pa.float64(),
}
_COLUMNS = pa.schema(_TYPES)
_JOINED = (EventType.IMPRESSION, EventType.CLICK, EventType.PURCHASE)


def _load(connection: "duckdb.DuckDBPyConnection", parts: Iterable[Sequence[Event]]) -> list[Source]:
    """Fill the table `events`; return the sources that its column `source` numbers."""
    connection.register("part", _COLUMNS.empty_table())
    connection.execute("CREATE TABLE events AS FROM part")
    numbers: dict[Source, int] = {}
    n = 0
    for part in parts:
        rows = []
        for event in part:
            if event.type in _JOINED and event.product_id is not None:
                rows.append(_row(n, event, numbers))
                n += 1
        connection.register("part", pa.Table.from_pylist(rows, _COLUMNS))
        connection.execute("INSERT INTO events FROM part")
    connection.unregister("part")
    return list(numbers)


def _row(n: int, event: Event, numbers: dict[Source, int]) -> dict[str, object]:
    member, visitor = event.member_id, event.anonymous_id
    recommendation = event.recommendation_id
    source = None if recommendation is None else numbers.setdefault(_source(recommendation), len(numbers))
    return {
        "n": n,
        "kind": event.type.value,
        "moment": round(event.at * MICROS),
        "person": f"v{visitor}" if member is None else f"m{member}",
        "visitor": None if member is None or visitor is None else f"v{visitor}",
        "product": event.product_id,
        "recommendation": recommendation,
        "source": source,
        "amount": event.amount,
    }


def _source(recommendation_id: str) -> Source:
    try:
        told = parse(recommendation_id)
    except RequestError:
        return UNKNOWN, UNKNOWN, None
    return told.placement, told.variant, told.model_version
