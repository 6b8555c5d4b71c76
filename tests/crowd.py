"""A made shop with as many members as one likes, drawn fast: what questions across members are measured on."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import FACT_DAYS
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue
from recsys.artifacts.tagging.write import Tagged
from tests.publications import AS_OF, Made, content

CATEGORIES, BRANDS, PRODUCTS = 60, 200, 5_000
PURCHASES, EVENTS, CONTACTS = 20, 20, 3
"""Facts a member, on average, in the days that are kept."""
BUYS, LISTED, DISCOVERED = 6, 10, 3
LAUNCH = "p00007"
CHANNELS = ("小程序", "App", "门店")
SEGMENTS = {
    "promotion": ("enthusiast", "sensitive", "neutral", "indifferent"),
    "lifecycle": ("new", "growing", "mature", "loyal", "slipping", "lost"),
    "preferred_channel": CHANNELS,
    "preferred_format": ("text_image", "video"),
}


def crowd(members: int, *, seed: int = 0) -> Made:
    """Draw a content; facts are skewed towards a half of the members and towards popular products."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"会员{n:07d}" for n in range(members)], dtype=object)
    products = np.array([f"p{n:05d}" for n in range(PRODUCTS)], dtype=object)
    categories = np.array([f"category {n}" for n in range(CATEGORIES)], dtype=object)
    made = content(seed=seed)

    def pairs(each: int) -> pd.DataFrame:
        n = members * each
        return pd.DataFrame(
            {"member_id": np.repeat(ids, each), "product_id": products[_distinct(rng, members, each)]}
        ).assign(score=rng.beta(1, 3, n), reason="for_you", purchase_days=0, days_since=np.nan, mean_gap=np.nan)

    return replace(
        made,
        members=_members(rng, ids),
        products=_products(products, categories),
        price_bands=made.price_bands.iloc[:0],
        recommend=pairs(LISTED),
        discovery=pairs(DISCOVERED),
        bought=made.bought.iloc[:0],
        repurchase=_repurchase(rng, ids, categories),
        churn=pd.DataFrame({"member_id": ids, "score": rng.beta(2, 5, members)}),
        value=pd.DataFrame({"member_id": ids, "score": rng.gamma(2, 50, members), "purchases": 2.0, "margin": 3.0}),
        new_product=pd.DataFrame({"member_id": ids, "product_id": LAUNCH, "score": rng.beta(1, 30, members)}),
        neighbours=made.neighbours.iloc[:0],
        purchases=_facts(rng, ids, products, PURCHASES)
        .assign(quantity=1.0, amount=9.5)
        .drop_duplicates(["day", "member_id", "product_id"]),
        events=_facts(rng, ids, products, EVENTS).assign(
            type=lambda frame: coded(rng.integers(0, 3, len(frame)), np.array(["view", "search", "cart"], dtype=object))
        ),
        contacts=_facts(rng, ids, products, CONTACTS).assign(campaign_id="春季", channel="短信", content_format="图文"),
        factors=None,
        opted_out=(),
        tagged=_tagged(rng, ids),
    )


def _members(rng: np.random.Generator, ids: "np.ndarray") -> pd.DataFrame:
    n = len(ids)
    cities = np.array(["北京", "上海", "广州", "深圳", "成都", None], dtype=object)
    more = {f"feature_{at}": rng.gamma(2, 50, n) for at in range(40)}
    named = {
        "days_since_purchase": rng.integers(1, FACT_DAYS, n).astype(float),
        "purchase_days_90d": rng.poisson(2, n).astype(float),
        "money_365d": rng.gamma(2, 200, n),
        "favourite_hour": rng.integers(8, 23, n).astype(float),
    }
    texts = {
        "city": cities[rng.integers(0, 6, n)],
        "main_channel": np.array(CHANNELS, dtype=object)[rng.integers(0, 3, n)],
    }
    return pd.DataFrame({"member_id": ids, **named, **more, **texts})


def _tagged(rng: np.random.Generator, ids: "np.ndarray") -> Tagged:
    parts = {name: np.array([*values, None], dtype=object) for name, values in SEGMENTS.items()}
    drawn = {name: values[rng.integers(0, len(values), len(ids))] for name, values in parts.items()}
    specs = tuple(
        SegmentSpec(
            name, name, name, "", "", tuple(SegmentValue(code, code, code) for code in values), {}, AS_OF.number
        )
        for name, values in SEGMENTS.items()
    )
    tenure = rng.integers(1, 2000, len(ids)).astype(float)
    return Tagged(
        pd.DataFrame({"member_id": ids, "tenure_days": tenure}), pd.DataFrame({"member_id": ids, **drawn}), specs
    )


def _products(ids: "np.ndarray", categories: "np.ndarray") -> pd.DataFrame:
    n = np.arange(len(ids))
    return pd.DataFrame(
        {
            "product_id": ids,
            "name": [f"product {at}" for at in n],
            "category": categories[n % CATEGORIES],
            "subcategory": [f"kind {at % (3 * CATEGORIES)}" for at in n],
            "brand": [f"brand {at % BRANDS}" for at in n],
            "price": n % 50 + 0.5,
            "price_level": 1.0,
            "consumable": 1.0,
            "stock": 10.0,
            "launched_day": np.nan,
            "delisted_day": np.nan,
            "buyers_28": len(ids) - n,
            "buyers_90": len(ids) - n,
            "popularity": n + 1,
        }
    )


def _repurchase(rng: np.random.Generator, ids: "np.ndarray", categories: "np.ndarray") -> pd.DataFrame:
    n = len(ids) * BUYS
    start = np.repeat(rng.integers(0, CATEGORIES, len(ids)), BUYS)
    chances = np.sort(rng.beta(1, 3, (n, 3)), axis=1)
    days = rng.integers(3, 60, n).astype(float)
    return pd.DataFrame(
        {
            "member_id": np.repeat(ids, BUYS),
            "category": categories[(start + 7 * np.tile(np.arange(BUYS), len(ids))) % CATEGORIES],
            "score": chances[:, 1],
            "p7": chances[:, 0],
            "p14": chances[:, 1],
            "p28": chances[:, 2],
            "median_days": days,
            "low_days": days / 3,
            "high_days": days * 2,
            "need_ends_day": np.nan,
            "next_category": None,
        }
    )


def _facts(rng: np.random.Generator, ids: "np.ndarray", products: "np.ndarray", each: int) -> pd.DataFrame:
    """As many facts as members times each; a half of the members has four in five of them."""
    n = len(ids) * each
    half = len(ids) // 2
    who = np.where(rng.random(n) < 0.8, rng.integers(0, half, n), rng.integers(half, len(ids), n))
    what = (len(products) * rng.random(n) ** 2).astype(np.int64)
    return pd.DataFrame(
        {
            "day": AS_OF.number - rng.integers(1, FACT_DAYS + 1, n),
            "member_id": coded(who, ids),
            "product_id": coded(what, products),
            "hour": rng.integers(0, 24, n),
        }
    )


def coded(codes: "np.ndarray", names: "np.ndarray") -> pd.Categorical:
    """Name codes without writing each name out."""
    return pd.Categorical.from_codes(codes, pd.Index(names))  # type: ignore[arg-type]


def _distinct(rng: np.random.Generator, members: int, each: int) -> "np.ndarray":
    """(members * each,) product numbers, distinct within a member."""
    start = rng.integers(0, PRODUCTS, members)
    return ((start[:, None] + 13 * np.arange(each)) % PRODUCTS).ravel()
