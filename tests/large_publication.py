"""The synthetic content of `tests.publications`, grown to a shop's size: what a service is measured and loaded with."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import Factors
from tests.publications import AS_OF, Made, content, member_id, product_id

MEMBERS, PRODUCTS, LISTED, CATEGORIES = 2500, 4000, 200, 120
REASONS = ("due", "again", "in_category", "for_you")


def large_content(*, seed: int = 0, members: int = MEMBERS) -> Made:
    """Every member has a list of 200 products, of which a half were bought; 3 launches and 5 durable purchases each."""
    random = np.random.default_rng(seed)
    ids = [member_id(n) for n in range(members)]
    products = np.array([product_id(n) for n in range(PRODUCTS)])
    listed = np.repeat(ids, LISTED)
    return replace(
        content(seed=seed),
        members=pd.DataFrame({"member_id": ids, **{f"feature_{n}": random.gamma(2, 50, members) for n in range(40)}}),
        products=_products(products),
        recommend=pd.DataFrame(
            {
                "member_id": listed,
                "product_id": products[_distinct(random, members, LISTED)],
                "score": random.normal(size=len(listed)),
                "reason": random.choice(REASONS, len(listed)),
                "purchase_days": random.integers(0, 9, len(listed)),
                "days_since": random.integers(1, 200, len(listed)).astype(float),
                "mean_gap": random.integers(5, 60, len(listed)).astype(float),
            }
        ),
        price_bands=pd.DataFrame({"member_id": ids, "low": 0.5, "high": 1.5}),
        discovery=pd.DataFrame(
            {
                "member_id": np.repeat(ids, 30),
                "product_id": products[_distinct(random, members, 30)],
                "score": random.uniform(size=members * 30),
                "reason": "in_category",
            }
        ),
        bought=pd.DataFrame(
            {
                "member_id": np.repeat(ids, 5),
                "product_id": products[_distinct(random, members, 5)],
                "days_since": random.integers(1, 180, members * 5).astype(float),
            }
        ),
        new_product=pd.DataFrame(
            {
                "member_id": np.repeat(ids, 3),
                "product_id": products[_distinct(random, members, 3)],
                "score": random.uniform(size=members * 3),
            }
        ),
        neighbours=_neighbours(products),
        factors=Factors(np.array(ids), products, random.normal(size=(members, 64)), random.normal(size=(PRODUCTS, 64))),
    )


def _products(ids: "np.ndarray") -> pd.DataFrame:
    n = np.arange(len(ids))
    return pd.DataFrame(
        {
            "product_id": ids,
            "name": [f"product {i} of a usual name" for i in n],
            "category": [f"category {i % CATEGORIES}" for i in n],
            "subcategory": [f"subcategory {i % (3 * CATEGORIES)}" for i in n],
            "brand": [f"brand {i % 97}" for i in n],
            "price": n % 50 + 0.5,
            "price_level": (n % 20 + 1) / 10,
            "consumable": 1.0,
            "stock": np.where(n % 20, 10.0, 0.0),
            "launched_day": np.where(n % 100, np.nan, AS_OF.number - 5.0),
            "delisted_day": np.nan,
            "buyers_28": len(ids) - n,
            "buyers_90": 2 * (len(ids) - n),
            "popularity": n + 1,
        }
    )


def _distinct(random: np.random.Generator, members: int, each: int) -> "np.ndarray":
    """(members * each,) product numbers, distinct within a member: a random start and a stride prime to the number."""
    strides = np.array([1, 3, 7, 11, 13, 17, 19])
    start, stride = random.integers(0, PRODUCTS, members), random.choice(strides, members)
    return ((start[:, None] + stride[:, None] * np.arange(each)) % PRODUCTS).ravel()


def _neighbours(ids: "np.ndarray") -> pd.DataFrame:
    n = np.arange(len(ids))
    kinds = {"similar": CATEGORIES, "together": 1}
    return pd.concat(
        pd.DataFrame(
            {
                "product_id": ids,
                "neighbour_id": ids[(n + step * rank) % len(ids)],
                "score": 1 / rank,
                "kind": kind,
                "rank": rank,
            }
        )
        for kind, step in kinds.items()
        for rank in range(1, 11)
    )
