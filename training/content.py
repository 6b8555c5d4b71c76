"""What a publication says, put together from a snapshot, the tables and the champions' scores."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import BOUGHT_DAYS, Content, Factors, Reason
from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.data.engine import day_number
from recsys.data.snapshot import Snapshot
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder
from recsys.features.life_stage import needs
from training.facts import facts
from training.tags import member_tags
from training.tracking import Registered

DUE_RATIOS = (0.8, 2.0)
"""A product is due from the first to the second multiple of the member's usual gap; later, the habit has ended."""

DUE_PURCHASE_DAYS = 3
"""A habit takes so many purchase days: one gap is none."""

PRODUCTS = """
    WITH sold AS (
        SELECT product_id,
               count(DISTINCT CASE WHEN day >= $day - 28 THEN member_id END) AS buyers_28,
               count(DISTINCT CASE WHEN day >= $day - 90 THEN member_id END) AS buyers_90,
               count(DISTINCT member_id) AS buyers,
               sum(CASE WHEN day >= $day - 90 THEN amount END) / sum(CASE WHEN day >= $day - 90 THEN quantity END)
                   AS paid
        FROM orders WHERE NOT is_return GROUP BY product_id
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
    WHERE NOT o.is_return AND o.day >= $day - $window AND isfinite(price_level)
    GROUP BY ALL HAVING count(*) >= $least
"""

ATTRIBUTES = """
    SELECT member_id, attributes FROM members WHERE attributes IS NOT NULL AND cardinality(attributes) > 0
"""

BAND_DAYS, BAND_LINES = 365, 10
"""Order lines of so many days tell a member's price band, if there are so many of them."""


def content(
    tables: Tables, folder: SnapshotFolder, scores: Mapping[str, pd.DataFrame], champions: Mapping[str, Registered]
) -> Content:
    """Put a publication's content together.

    folder: features of the day that is published.
    scores: task -> its score table of the same day. champions: task -> the model that made it.
    """
    snapshot = tables.at(folder.as_of)
    known = needs(snapshot)
    outgrown = known[known["ends_day"] <= folder.as_of.number]
    repurchase = with_needs(scores["repurchase"], known)
    lasting = repurchase[~(repurchase["need_ends_day"] <= folder.as_of.number)]
    levels = folder.read(View.PRODUCT)[["product_id", "product_price_level"]]
    levels = levels.rename(columns={"product_price_level": "price_level"})
    items = products(snapshot).merge(levels, how="left", on="product_id", validate="one_to_one")
    evidence = with_evidence(scores["recommend"], folder.read(View.MEMBER_PRODUCT))
    recommend = still_needed(evidence, items, outgrown, folder.as_of)
    members = folder.read(View.MEMBER).drop(columns=["event_timestamp", "created_timestamp"])
    happened = facts(snapshot)
    return Content(
        as_of=folder.as_of,
        tables_digest=tables.digest,
        model_versions={task: champion.version for task, champion in champions.items()},
        horizons={task: int(champion.params["horizon"]) for task, champion in champions.items()},
        members=members.assign(
            tags=member_tags(members, {**scores, "repurchase": lasting}),
            attributes=members["member_id"].map(attributes(snapshot)),
        ),
        products=items,
        price_bands=price_bands(snapshot, levels),
        recommend=recommend,
        discovery=discoveries(recommend),
        bought=bought(snapshot),
        repurchase=repurchase,
        churn=scores["churn"],
        value=scores["value"],
        new_product=scores["new_product"],
        neighbours=folder.neighbours(),
        purchases=happened["purchases"],
        events=happened["events"],
        contacts=happened["contacts"],
        factors=Factors(**vars(folder.factors())),
        opted_out=opted_out(snapshot),
    )


def products(snapshot: Snapshot) -> pd.DataFrame:
    """List what may be named in an answer, launches too, with its popularity; columns as `Content.products` says."""
    zone = snapshot.as_of.zone
    sql = PRODUCTS.format(launched=day_number("l.launched_at", zone), delisted=day_number("l.delisted_at", zone))
    with snapshot.connect() as connection:
        return connection.execute(sql, {"day": snapshot.as_of.number}).df()


def bought(snapshot: Snapshot) -> pd.DataFrame:
    """List what members bought lately of products known not to run out; columns as `Content.bought` says."""
    with snapshot.connect() as connection:
        return connection.execute(BOUGHT, {"day": snapshot.as_of.number, "window": BOUGHT_DAYS}).df()


def price_bands(snapshot: Snapshot, levels: pd.DataFrame) -> pd.DataFrame:
    """Tell between which price levels members buy; columns as `Content.price_bands` says.

    levels: product_id and price_level, NaN = unknown.
    """
    with snapshot.connect() as connection:
        connection.register("levels", levels)
        days = {"day": snapshot.as_of.number, "window": BAND_DAYS, "least": BAND_LINES}
        return connection.execute(PRICE_BANDS, days).df()


def attributes(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """Return what the mall declares of members, by name; members of whom nothing is declared are left out."""
    with snapshot.connect() as connection:
        rows = connection.execute(ATTRIBUTES).fetchall()
    told = (
        (str(member), {name: value for name, value in known.items() if value is not None}) for member, known in rows
    )
    return {member: known for member, known in told if known}


def discoveries(recommend: pd.DataFrame) -> pd.DataFrame:
    """Keep what members never bought and may discover, by the chance that they do; columns as `Content.discovery` says.

    recommend: with `discovery`, 0 = cannot be discovered; without that column there is nothing to discover.
    """
    if "discovery" not in recommend:
        return recommend.iloc[:0][["member_id", "product_id", "score", "reason"]]
    new = recommend[(recommend["discovery"] > 0) & (recommend["purchase_days"] == 0)]
    return new.assign(score=new["discovery"])[["member_id", "product_id", "score", "reason"]]


def opted_out(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the members who refused personalisation."""
    with snapshot.connect() as connection:
        rows = connection.execute("FROM opted_out ORDER BY member_id").fetchall()
    return tuple(str(row[0]) for row in rows)


def with_evidence(scores: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Say why each recommendation is made, and on what evidence; columns as `Content.recommend` says."""
    evidence = {
        "own_product_purchase_days": "purchase_days",
        "own_product_days_since_purchase": "days_since",
        "own_product_mean_gap": "mean_gap",
        "affinity_category_share": "category_share",
        "own_product_neighbour_score": "neighbour_score",
        "own_product_als_score": "als_score",
        "product_id": "product_id",
        "member_id": "member_id",
    }
    table = scores.merge(
        pairs[list(evidence)].rename(columns=evidence), on=["member_id", "product_id"], validate="one_to_one"
    )
    again = table["purchase_days"].fillna(0) >= 1
    due = again & (table["purchase_days"] >= DUE_PURCHASE_DAYS)
    due &= (table["days_since"] / table["mean_gap"]).between(*DUE_RATIOS)
    known = table["category_share"].fillna(0) > 0
    alike = (table["neighbour_score"] > 0) | (table["als_score"] > 0)
    reason = np.select(
        [due, again, known, alike], [Reason.DUE, Reason.AGAIN, Reason.IN_CATEGORY, Reason.FOR_YOU], Reason.POPULAR
    )
    told = table.drop(columns=["category_share", "neighbour_score", "als_score"])
    return told.assign(reason=reason, purchase_days=table["purchase_days"].fillna(0))


def still_needed(recommend: pd.DataFrame, items: pd.DataFrame, outgrown: pd.DataFrame, as_of: AsOf) -> pd.DataFrame:
    """Leave out what the member's child has outgrown, unless the member bought the very product since.

    recommend: with evidence. items: product_id, category. outgrown: member_id, category, ends_day.
    """
    category = recommend["product_id"].map(items.set_index("product_id")["category"])
    pairs = recommend[["member_id"]].assign(category=category.to_numpy())
    known = pairs.merge(outgrown, on=["member_id", "category"], how="left", validate="many_to_one")
    ends_day = known["ends_day"].to_numpy(dtype=np.float64)
    bought_day = as_of.number - recommend["days_since"].to_numpy(dtype=np.float64)
    kept: pd.DataFrame = recommend[np.isnan(ends_day) | (bought_day >= ends_day)]
    return kept.reset_index(drop=True)


def with_needs(scores: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Say of each member and category when the child outgrows it, and for what; columns as `Content.repurchase` says.

    known: what `needs` lists.
    """
    keys = ["member_id", "category"]
    table = scores.merge(known, how="left", on=keys, validate="many_to_one")
    ends = table["ends_day"].astype(float)
    follows = [None if pd.isna(category) else category for category in table["next_category"]]
    texts = pd.Series(follows, index=table.index, dtype=object)
    return table.drop(columns=["ends_day"]).assign(need_ends_day=ends, next_category=texts)
