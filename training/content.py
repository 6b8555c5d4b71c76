"""What a publication says, put together from a snapshot, the tables and the champions' scores."""

import json
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from recsys.artifacts.publication_content import BOUGHT_DAYS, Challenger, Content, Factors
from recsys.artifacts.publication_source import Query, parquet_query
from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.data.engine import connect, day_number, quoted
from recsys.data.memory import bounded
from recsys.data.snapshot import Snapshot
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder
from training.facts import facts
from training.tags import tag_lists
from training.tracking import Registered

PRODUCTS = """
    WITH buyer AS (
        SELECT product_id, member_id, max(day) AS last_day,
               sum(CASE WHEN day >= $day - 90 THEN amount END) AS amount,
               sum(CASE WHEN day >= $day - 90 THEN quantity END) AS quantity
        FROM orders WHERE NOT is_return GROUP BY product_id, member_id
    ),
    sold AS (
        SELECT product_id, count(*) AS buyers, count(CASE WHEN last_day >= $day - 28 THEN 1 END) AS buyers_28,
               count(CASE WHEN last_day >= $day - 90 THEN 1 END) AS buyers_90, sum(amount) / sum(quantity) AS paid
        FROM buyer GROUP BY product_id
    ),
    listed AS (
        SELECT product_id, name, category, subcategory, brand, price, stock, is_consumable, launched_at, delisted_at
        FROM products
        UNION ALL
        SELECT product_id, name, category, subcategory, brand, price, NULL, is_consumable, launched_at, NULL
        FROM launches ANTI JOIN products USING (product_id)
    )
    SELECT coalesce(l.product_id, s.product_id) AS product_id, l.name, coalesce(l.category, 'unknown') AS category,
           l.subcategory, l.brand, round(coalesce(l.price, s.paid), 2) AS price, l.stock,
           CAST(l.is_consumable AS DOUBLE) AS consumable,
           {launched} AS launched_day, {delisted} AS delisted_day,
           coalesce(s.buyers_28, 0) AS buyers_28, coalesce(s.buyers_90, 0) AS buyers_90,
           row_number() OVER (
               ORDER BY coalesce(s.buyers_28, 0) DESC, coalesce(s.buyers_90, 0) DESC, coalesce(s.buyers, 0) DESC,
                        coalesce(l.product_id, s.product_id)
           ) AS popularity
    FROM listed l FULL JOIN sold s ON l.product_id = s.product_id
"""

BOUGHT = """
    SELECT o.member_id, o.product_id, CAST($day - max(o.day) AS DOUBLE) AS days_since
    FROM orders o JOIN products p USING (product_id)
    WHERE NOT o.is_return AND NOT p.is_consumable AND o.day >= $day - $window
    GROUP BY ALL
"""

PRICE_BANDS = """
    SELECT o.member_id, quantile_cont(price_level, 0.1) AS low, quantile_cont(price_level, 0.9) AS high
    FROM orders o JOIN levels l USING (product_id)
    WHERE NOT o.is_return AND o.day >= $day - $window AND isfinite(price_level) {inside}
    GROUP BY ALL HAVING count(*) >= $least
"""

ATTRIBUTES = """
    SELECT member_id, attributes FROM members WHERE attributes IS NOT NULL AND cardinality(attributes) > 0
"""

MEMBERS_AT_ONCE = 100_000

BAND_DAYS, BAND_LINES = 365, 10
"""Order lines of so many days tell a member's price band, if there are so many of them."""


def content(
    tables: Tables,
    folder: SnapshotFolder,
    scores: Mapping[str, Query],
    champions: Mapping[str, Registered],
    flags: pd.DataFrame,
    tried: tuple[str, Query] | None = None,
    launches: pd.DataFrame | None = None,
) -> Content:
    """Put a publication's content together; tables of members and pairs are queries, read when they are written.

    folder: features of the day that is published.
    scores: task -> its scores of the same day, those of repurchase `with_needs`. champions: task -> the model that made
        them.
    flags: member_id, and of each member one column of bool for each `Tag`, in their order.
    launches: of launches, how many members were scored and from which score on all are kept, as `Content` says.
    tried: version and scores of a model of recommend that waits to be promoted, for placements that ask for its lists.
    """
    snapshot = tables.at(folder.as_of)
    levels = folder.read(View.PRODUCT)[["product_id", "product_price_level"]]
    levels = levels.rename(columns={"product_price_level": "price_level"})
    happened = facts(snapshot)
    return Content(
        as_of=folder.as_of,
        tables_digest=tables.digest,
        model_versions={task: champion.version for task, champion in champions.items()},
        horizons={task: int(champion.params["horizon"]) for task, champion in champions.items()},
        members=members(folder, flags, attributes(snapshot)),
        products=products(snapshot).merge(levels, how="left", on="product_id", validate="one_to_one"),
        price_bands=price_bands(snapshot, levels, flags["member_id"]),
        recommend=scores["recommend"],
        discovery=discoveries(scores["recommend"]),
        bought=bought(snapshot),
        repurchase=scores["repurchase"],
        churn=scores["churn"],
        value=scores["value"],
        new_product=scores["new_product"],
        neighbours=folder.neighbours(),
        purchases=happened["purchases"],
        events=happened["events"],
        contacts=happened["contacts"],
        factors=Factors(**vars(folder.factors())),
        opted_out=opted_out(snapshot),
        launches=launches,
        challenger=None if tried is None else Challenger(tried[0], tried[1], discoveries(tried[1])),
    )


def members(folder: SnapshotFolder, flags: pd.DataFrame, declared: pa.Table) -> Query:
    """Query the features of the view member, with what members are called and what is declared of them.

    flags: as `content` takes them. declared: as `attributes` returns it.
    """
    called = pa.table({"member_id": pa.array(flags["member_id"]), "tags": tag_lists(flags.drop(columns=["member_id"]))})
    sql = """
        SELECT rows.* EXCLUDE (event_timestamp, created_timestamp), called.tags, declared.attributes
        FROM rows LEFT JOIN called USING (member_id) LEFT JOIN declared USING (member_id)
    """
    return parquet_query(folder.path(View.MEMBER)).over(sql, beside={"called": called, "declared": declared})


def products(snapshot: Snapshot) -> pd.DataFrame:
    """List what may be named in an answer, launches too, with its popularity; columns as `Content.products` says."""
    zone = snapshot.as_of.zone
    sql = PRODUCTS.format(launched=day_number("l.launched_at", zone), delisted=day_number("l.delisted_at", zone))
    with bounded(snapshot.connect()) as connection:
        return connection.execute(sql, {"day": snapshot.as_of.number}).df()


def bought(snapshot: Snapshot) -> Query:
    """Query what members bought lately of products known not to run out; columns as `Content.bought` says."""
    return Query(snapshot.connect, BOUGHT, {"day": snapshot.as_of.number, "window": BOUGHT_DAYS})


def price_bands(snapshot: Snapshot, levels: pd.DataFrame, members: "pd.Series[str]") -> Query:
    """Query between which price levels members buy; columns as `Content.price_bands` says.

    levels: product_id and price_level, NaN = unknown. members: ids in their order; some at a time are looked at, as a
        quantile keeps all its values in memory.
    """
    days = {"day": snapshot.as_of.number, "window": BAND_DAYS, "least": BAND_LINES}
    edges = [quoted(str(name)) for name in members.iloc[MEMBERS_AT_ONCE::MEMBERS_AT_ONCE]]
    first, last = (f" AND o.member_id {sign} " for sign in (">=", "<"))
    starts, ends = ["", *(first + edge for edge in edges)], [*(last + edge for edge in edges), ""]
    parts = []
    with bounded(snapshot.connect()) as connection:
        connection.register("levels", pa.Table.from_pandas(levels, preserve_index=False))
        for start, end in zip(starts, ends, strict=True):
            parts.append(connection.sql(PRICE_BANDS.format(inside=start + end), params=days).to_arrow_table())
    bands = pa.concat_tables(parts)
    return Query(connect, "SELECT * FROM bands", beside={"bands": bands}, rows=len(bands))


def attributes(snapshot: Snapshot) -> pa.Table:
    """Return `member_id` and `attributes`, what the mall declares of the member as JSON, for whom anything is known."""
    ids, texts = [], []
    with snapshot.connect() as connection:
        reader = connection.execute(ATTRIBUTES)
        while rows := reader.fetchmany(MEMBERS_AT_ONCE):
            for member, declared in rows:
                known = {name: value for name, value in declared.items() if value is not None}
                if known:
                    ids.append(str(member))
                    texts.append(json.dumps(known, ensure_ascii=False, sort_keys=True))
    return pa.table({"member_id": pa.array(ids, pa.string()), "attributes": pa.array(texts, pa.string())})


def discoveries(recommend: Query) -> Query:
    """Keep what members never bought and may discover, by the chance that they do; columns as `Content.discovery` says.

    recommend: with `discovery`, 0 = cannot be discovered.
    """
    return recommend.over(
        "SELECT member_id, product_id, discovery AS score, reason FROM rows WHERE discovery > 0 AND purchase_days = 0"
    )


def opted_out(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the members who refused personalisation."""
    with snapshot.connect() as connection:
        rows = connection.execute("FROM opted_out ORDER BY member_id").fetchall()
    return tuple(str(row[0]) for row in rows)


def with_needs(scores: Query, known: pd.DataFrame) -> Query:
    """Say of each member and category when the child outgrows it, and for what; columns as `Content.repurchase` says.

    scores: of the task repurchase. known: what `needs` lists.
    """
    ends = pa.table(
        {
            "member_id": pa.array(known["member_id"], pa.string()),
            "category": pa.array(known["category"], pa.string()),
            "ends_day": pa.array(known["ends_day"], pa.float64(), from_pandas=True),
            "next_category": pa.array(known["next_category"], pa.string(), from_pandas=True),
        }
    )
    sql = """
        SELECT rows.*, ends.ends_day AS need_ends_day, ends.next_category
        FROM rows LEFT JOIN ends USING (member_id, category)
    """
    return scores.over(sql, beside={"ends": ends})


def due(repurchase: Query, as_of: AsOf) -> "pd.Series[str]":
    """Return who is as likely as not to buy within 7 days, in a category that is still needed.

    repurchase: `with_needs`.
    """
    lasting = "p7 >= 0.5 AND NOT coalesce(need_ends_day <= $today, false)"
    found = repurchase.over(f"SELECT DISTINCT member_id FROM rows WHERE {lasting}", today=as_of.number)
    return found.table().to_pandas()["member_id"]
