from datetime import date

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.publication_content import Reason
from recsys.core.frames import Rows
from recsys.core.time import AsOf
from recsys.models.recommend import TASK
from training.listed import Shelves, evidence, foremost

AS_OF = AsOf(date(2025, 3, 31), "Asia/Shanghai")
NO_NEEDS = pd.DataFrame({"member_id": [], "category": [], "ends_day": [], "next_category": []})


def pair(**known: float) -> Rows:
    """Return one pair's row; never bought and unlike anything unless said."""
    none = {
        "own_product_purchase_days": 0.0,
        "own_product_days_since_purchase": np.nan,
        "own_product_mean_gap": np.nan,
        "affinity_category_share": 0.0,
        "own_product_neighbour_score": 0.0,
        "own_product_als_score": np.nan,
    }
    keys = pd.DataFrame({"member_id": ["m"], "product_id": ["p"]})
    return Rows(TASK, AS_OF, keys, pd.DataFrame([none | known]).astype(np.float32), ())


def own(days: float, since: float, gap: float = np.nan) -> dict[str, float]:
    return {
        "own_product_purchase_days": days,
        "own_product_days_since_purchase": since,
        "own_product_mean_gap": gap,
        "affinity_category_share": 0.1,
    }


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (own(3, 8, 10), Reason.DUE),
        (own(3, 20, 10), Reason.DUE),
        (own(3, 7.9, 10), Reason.AGAIN),
        (own(3, 20.1, 10), Reason.AGAIN),
        (own(2, 10, 10), Reason.AGAIN),
        (own(1, 10), Reason.AGAIN),
        ({"affinity_category_share": 0.1, "own_product_als_score": 1.0}, Reason.IN_CATEGORY),
        ({"own_product_als_score": 0.1}, Reason.FOR_YOU),
        ({"own_product_neighbour_score": 0.1}, Reason.FOR_YOU),
        ({"own_product_als_score": -0.1}, Reason.POPULAR),
        ({"own_product_purchase_days": np.nan}, Reason.POPULAR),
        ({}, Reason.POPULAR),
    ],
)
def test_a_reason_claims_no_more_than_the_evidence(known: dict[str, float], reason: Reason) -> None:
    told = evidence(pair(**known))
    assert told["reason"].tolist() == [str(reason)]
    assert list(told) == ["reason", "purchase_days", "days_since", "mean_gap"]
    assert told["purchase_days"].notna().all()


def shelves(items: pd.DataFrame, needs: pd.DataFrame = NO_NEEDS) -> Shelves:
    return Shelves.of(items, needs, AS_OF)


def test_what_is_outgrown_is_not_kept_unless_bought_since() -> None:
    items = pd.DataFrame({"product_id": ["p", "q", "r"], "category": ["一段", "二段", "一段"]})
    ended = pd.DataFrame(
        {"member_id": ["a"], "category": ["一段"], "ends_day": [AS_OF.number - 10], "next_category": ["二段"]}
    )
    told = pd.DataFrame(
        [("a", "p", 5.0), ("a", "q", 50.0), ("b", "p", 50.0), ("a", "r", np.nan)],
        columns=["member_id", "product_id", "days_since"],
    )
    assert shelves(items, ended).needed(told).tolist() == [True, True, True, False]
    assert shelves(items, ended).needed(told.assign(days_since=11.0)).tolist() == [False, True, True, False]
    assert shelves(items, ended.assign(ends_day=AS_OF.number + 1)).needed(told).all()


def scores(rows: list[tuple[str, str, float, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["member_id", "product_id", "score", "discovery", "purchase_days"])
    return table.assign(days_since=np.nan)


def test_a_members_best_are_kept_and_beside_them_the_best_never_bought() -> None:
    table = scores(
        [
            ("a", "p", 0.9, 0.0, 2),
            ("a", "q", 0.8, 0.0, 1),
            ("a", "r", 0.1, 0.3, 0),
            ("a", "s", 0.2, 0.2, 0),
            ("a", "t", 0.3, 0.9, 3),
            ("b", "q", 0.1, 0.0, 0),
        ]
    )
    items = pd.DataFrame({"product_id": list("pqrst"), "category": "c"})
    kept = foremost(table, "product_id", 2, 1, shelves(items))
    assert list(zip(kept["member_id"], kept["product_id"], strict=True)) == [
        ("a", "p"),
        ("a", "q"),
        ("a", "r"),
        ("b", "q"),
    ]


def test_of_equal_scores_those_are_kept_that_a_publication_has_first() -> None:
    items = pd.DataFrame({"product_id": [f"p{n}" for n in range(50)], "category": "c"})
    ordered = shelves(items).place.sort_values().index
    table = scores([("a", product, 0.5, 0.0, 1) for product in items["product_id"]])
    kept = foremost(table, "product_id", 5, 1, shelves(items))
    assert set(kept["product_id"]) == set(ordered[:5])


def test_what_no_publication_names_is_not_kept() -> None:
    items = pd.DataFrame({"product_id": ["p"], "category": "c"})
    kept = foremost(scores([("a", "gone", 0.9, 0.0, 1), ("a", "p", 0.1, 0.0, 1)]), "product_id", 1, 1, shelves(items))
    assert kept["product_id"].tolist() == ["p"]
