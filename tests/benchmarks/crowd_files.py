"""A made shop in files, as scoring leaves them: a publication's content of as many members as one likes."""

from pathlib import Path

import duckdb
import numpy as np

from recsys.artifacts.publication_content import FACT_DAYS, Content, Factors
from recsys.artifacts.publication_source import parquet_query
from recsys.artifacts.tagging.write import Tagged
from recsys.data.engine import quoted
from tests.crowd import CATEGORIES, PRODUCTS, crowd
from tests.publications import AS_OF

FEATURES, NEEDS, PURCHASES, EVENTS, CONTACTS, WIDTH = 60, 12, 60, 20, 3, 64
"""Columns of a member, needs of a member, facts of a member within the days kept, and factors."""

MEMBER = "'会员' || lpad(CAST(member AS VARCHAR), 8, '0') AS member_id"
DRAW = "(hash({what}, {salt}) / 18446744073709551616.0)"


def draw(what: str, salt: int) -> str:
    """Return SQL of a number in [0, 1) that hangs on `what` and the salt alone."""
    return DRAW.format(what=what, salt=salt)


def crowd_files(folder: Path, members: int, *, listed: int = 100, discovered: int = 30) -> Content:
    """Write a crowd's tables as parquet files, unless they are there, and return the content that reads them.

    listed, discovered: pairs of recommend that a member is listed with, and that may be discovered, beside each other.
    """
    tables = _tables(listed, discovered)
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for name, sql in tables.items():
            path = folder / f"{name}.parquet"
            if not path.exists():
                whole = sql.format(members=members)
                connection.execute(f"COPY ({whole}) TO {quoted(str(path))} (FORMAT parquet)")
    small = crowd(1000)
    queries = {name: parquet_query(folder / f"{name}.parquet") for name in tables}
    found = "SELECT * EXCLUDE (score, discovery), discovery AS score FROM rows WHERE discovery > 0"
    return Content(
        as_of=small.as_of,
        tables_digest=f"crowd of {members}",
        model_versions=small.model_versions,
        horizons=small.horizons,
        products=small.products,
        neighbours=small.neighbours,
        recommend=queries["pairs"],
        discovery=queries["pairs"].over(found),
        factors=_factors(members),
        opted_out=(),
        tagged=_tagged(members),
        launches=small.launches,
        members=queries["members"],
        price_bands=queries["price_bands"],
        bought=queries["bought"],
        repurchase=queries["repurchase"],
        churn=queries["churn"],
        value=queries["value"],
        new_product=queries["new_product"],
        purchases=queries["purchases"],
        events=queries["events"],
        contacts=queries["contacts"],
    )


def _tables(listed: int, discovered: int) -> dict[str, str]:
    each, pair = listed + discovered, "member * 1000 + nth"
    every = "FROM range({members}) AS m(member)"
    features = ", ".join(f"500 * {draw('member', at)} AS feature_{at}" for at in range(FEATURES))
    stride = f"CAST(floor(CAST({PRODUCTS} AS DOUBLE) * {draw('member', 91)}) AS BIGINT)"
    product = f"'p' || lpad(CAST(({stride} + 13 * nth) % {PRODUCTS} AS VARCHAR), 5, '0') AS product_id"
    needs = f"'category ' || CAST((CAST(60 * {draw('member', 92)} AS BIGINT) + 7 * nth) % {CATEGORIES} AS VARCHAR)"
    chance = draw(pair, 93)
    return {
        "members": f"SELECT {MEMBER}, {features}, 1.0 + member % 400 AS days_since_purchase, "
        f"CASE WHEN member % 6 < 5 THEN ['北京', '上海', '广州', '深圳', '成都'][1 + member % 6] END AS city {every}",
        "price_bands": f"SELECT {MEMBER}, 0.8 AS low, 1.5 AS high {every}",
        "pairs": f"SELECT {MEMBER}, {product}, {draw(pair, 94)} AS score, "
        f"CASE WHEN nth < {listed} THEN 0.0 ELSE {draw(pair, 95)} END AS discovery, "
        "CASE WHEN nth % 3 = 0 THEN 'due' WHEN nth % 3 = 1 THEN 'again' ELSE 'for_you' END AS reason, "
        "CAST(nth % 9 AS FLOAT) AS purchase_days, CAST(nth AS FLOAT) AS days_since, CAST(20 AS FLOAT) AS mean_gap "
        f"{every} CROSS JOIN range({each}) AS n(nth)",
        "bought": f"SELECT {MEMBER}, {product}, 5.0 + nth AS days_since {every} CROSS JOIN range(3) AS n(nth)",
        "repurchase": f"SELECT {MEMBER}, {needs} AS category, {chance} AS score, 0.5 * {chance} AS p7, "
        f"{chance} AS p14, sqrt({chance}) AS p28, 9.0 AS median_days, 3.0 AS low_days, 18.0 AS high_days, "
        f"CAST(NULL AS DOUBLE) AS need_ends_day, CAST(NULL AS VARCHAR) AS next_category {every} "
        f"CROSS JOIN range({NEEDS}) AS n(nth)",
        "churn": f"SELECT {MEMBER}, {draw('member', 96)} AS score, ['recency', 'spend'] AS why, "
        f"[0.6, 0.2] AS why_share {every}",
        "value": f"SELECT {MEMBER}, 300 * {draw('member', 97)} AS score, 2.0 AS purchases, 3.0 AS margin {every}",
        "new_product": f"SELECT {MEMBER}, 'p' || lpad(CAST(7 + nth AS VARCHAR), 5, '0') AS product_id, "
        f"{draw(pair, 98)} AS score {every} CROSS JOIN range(10) AS n(nth) WHERE {draw(pair, 98)} >= 0.9",
        "purchases": _facts(PURCHASES, "1.0 AS quantity, 9.5 AS amount"),
        "events": _facts(EVENTS, "['view', 'search', 'cart'][1 + nth % 3] AS type"),
        "contacts": _facts(CONTACTS, "'春季' AS campaign_id, '短信' AS channel, '图文' AS content_format"),
    }


def _facts(each: int, more: str) -> str:
    """Return SQL of a member's facts, spread over the days kept; a half of the members has few of them."""
    kept = f"nth < CASE WHEN member % 2 = 0 THEN {each} ELSE {each // 4} END"
    what = f"CAST(floor({PRODUCTS} * power({draw('member * 1000 + nth', 81)}, 2)) AS BIGINT)"
    day = f"{AS_OF.number - FACT_DAYS} + CAST(floor({FACT_DAYS} * (nth + {draw('member', 82)}) / {each}) AS BIGINT)"
    return (
        f"SELECT {day} AS day, {MEMBER}, 'p' || lpad(CAST({what} AS VARCHAR), 5, '0') AS product_id, "
        f"8 + nth % 14 AS hour, {more} "
        f"FROM range({{members}}) AS m(member) CROSS JOIN range({each}) AS n(nth) WHERE {kept}"
    )


def _factors(members: int) -> Factors:
    rng = np.random.default_rng(0)
    ids = np.array([f"会员{n:08d}" for n in range(members)])
    products = np.array([f"p{n:05d}" for n in range(PRODUCTS)])
    own = rng.standard_normal((members, WIDTH), dtype=np.float32)
    return Factors(ids, products, own, rng.standard_normal((PRODUCTS, WIDTH), dtype=np.float32))


def _tagged(members: int) -> Tagged:
    """Tags and segments of the smaller crowd, drawn for as many members."""
    small = crowd(1000).tagged
    assert small is not None
    at = np.arange(members) % 1000
    ids = [f"会员{n:08d}" for n in range(members)]
    tags, segments = (
        frame.take(at).assign(member_id=ids).reset_index(drop=True) for frame in (small.tags, small.segments)
    )
    return Tagged(tags, segments, small.specs)
