from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.publication_content import BOUGHT_DAYS, Tag
from recsys.artifacts.publication_source import Query, frame_query
from recsys.core.time import AsOf
from tests.shop import START, at, store
from training.content import (
    BAND_DAYS,
    BAND_LINES,
    attributes,
    bought,
    discoveries,
    due,
    price_bands,
    products,
    with_needs,
)
from training.tags import standings, tag_lists

DAY = 400
AS_OF = AsOf(START, "Asia/Shanghai").plus(days=DAY)


def read(query: Query) -> pd.DataFrame:
    return query.table().to_pandas()


def order(number: int, member: str, product: str, day: int, *, is_return: bool = False) -> dict[str, object]:
    return {
        "order_id": str(number),
        "member_id": member,
        "product_id": product,
        "ordered_at": at(day),
        "day": AsOf(START).plus(days=day).number,
        "hour": 12,
        "weekday": 0,
        "quantity": 1.0,
        "amount": 2.0,
        "discount": 0.0,
        "is_return": is_return,
    }


def test_what_was_bought_is_of_products_known_not_to_run_out_within_the_window(tmp_path: Path) -> None:
    first = DAY - BOUGHT_DAYS
    lines = [
        ("a", "kettle", first),
        ("a", "kettle", DAY - 5),
        ("a", "tea", DAY - 5),
        ("a", "thing", DAY - 5),
        ("b", "kettle", first - 1),
        ("c", "kettle", first),
        ("c", "kettle", DAY),
        ("d", "unlisted", DAY - 1),
    ]
    orders = pd.DataFrame([order(n, *line) for n, line in enumerate(lines)])
    returned = pd.DataFrame([order(99, "e", "kettle", DAY - 3, is_return=True)])
    listed = pd.DataFrame(
        {"product_id": ["kettle", "tea", "thing"], "name": ["k", "t", "x"], "is_consumable": [False, True, None]}
    )
    tables = store(tmp_path, {"orders": pd.concat([orders, returned]), "products": listed})
    snapshot = tables.at(AS_OF)
    found = {(row.member_id, row.product_id): row.days_since for row in read(bought(snapshot)).itertuples()}
    assert found == {("a", "kettle"): 5.0, ("c", "kettle"): float(BOUGHT_DAYS)}
    assert set(products(snapshot)["product_id"]) == {"kettle", "tea", "thing", "unlisted"}


def member(**features: float) -> dict[str, float]:
    none = {
        "days_since_purchase": 10.0,
        "days_since_first_purchase": 300.0,
        "active_weeks_share_84d": 0.2,
        "money_365d": 0.0,
        "launches_bought_365d": 0.0,
        "coupon_line_share": 0.1,
        "lines_per_purchase_day": 2.0,
        "purchase_days": 10.0,
    }
    return none | features


@pytest.mark.parametrize(
    ("features", "tags"),
    [
        ({}, []),
        ({"days_since_purchase": 84}, [Tag.LAPSED]),
        ({"days_since_purchase": 83}, []),
        ({"days_since_purchase": np.nan, "days_since_first_purchase": np.nan, "coupon_line_share": np.nan}, []),
        ({"days_since_first_purchase": 28}, [Tag.NEWCOMER]),
        ({"active_weeks_share_84d": 0.75}, [Tag.REGULAR]),
        ({"launches_bought_365d": 3}, [Tag.LAUNCH_FAN]),
        ({"coupon_line_share": 0.5}, [Tag.COUPON_USER]),
        ({"coupon_line_share": 0.5, "purchase_days": 4}, []),
        ({"days_since_purchase": 90, "launches_bought_365d": 4}, [Tag.LAPSED, Tag.LAUNCH_FAN]),
    ],
)
def test_tags_follow_their_rules(features: dict[str, float], tags: list[Tag]) -> None:
    nobody = pd.DataFrame({"member_id": [], "score": []})
    members = pd.DataFrame([{"member_id": "m", **member(**features)}])
    assert tag_lists(standings(members, nobody, ())).to_pylist() == [tags]


def test_tags_of_scores_and_ranks_are_of_the_few() -> None:
    ids = [f"m{n}" for n in range(20)]
    members = pd.DataFrame([{"member_id": one, **member(money_365d=n)} for n, one in enumerate(ids)])
    churn = pd.DataFrame({"member_id": ids, "score": [0.4] * 3 + [0.15] * 17})
    tags = standings(members, churn, {"m4"}).set_axis(ids)
    assert {one for one in ids if tags.loc[one, Tag.HIGH_VALUE]} == {"m18", "m19"}
    assert {one for one in ids if tags.loc[one, Tag.DUE_THIS_WEEK]} == {"m4"}
    assert not tags[Tag.HIGH_CHURN_RISK].any()
    churn.loc[:1, "score"] = 0.5
    tags = standings(members, churn, ()).set_axis(ids)
    assert {one for one in ids if tags.loc[one, Tag.HIGH_CHURN_RISK]} == {"m0", "m1"}


def test_who_is_due_buys_soon_what_is_still_needed() -> None:
    told = pd.DataFrame(
        {
            "member_id": ["a", "a", "b", "c", "d"],
            "p7": [0.1, 0.5, 0.4, 0.9, 0.9],
            "need_ends_day": [np.nan, np.nan, np.nan, AS_OF.number, AS_OF.number + 1],
        }
    )
    assert set(due(frame_query("told", told), AS_OF)) == {"a", "d"}


OUTGROWN = pd.DataFrame({"member_id": ["a"], "category": ["一段"], "ends_day": [100], "next_category": ["二段"]})


def test_needs_are_told_of_the_pairs_that_have_them() -> None:
    scores = pd.DataFrame(
        {"member_id": ["a", "a", "b"], "category": ["一段", "二段", "一段"], "score": [0.3, 0.2, 0.1]}
    )
    found = read(with_needs(frame_query("told", scores), OUTGROWN)).sort_values(["member_id", "category"])
    assert found["need_ends_day"].tolist()[0] == 100
    assert found["need_ends_day"].isna().tolist() == [False, True, True]
    assert found["next_category"].tolist() == ["二段", None, None]
    assert found["score"].tolist() == scores["score"].tolist()
    assert read(with_needs(frame_query("told", scores), OUTGROWN.iloc[:0]))["need_ends_day"].isna().all()


@pytest.mark.parametrize("at_once", [1, 2, 10])
def test_a_price_band_holds_four_in_five_lines_of_members_with_enough_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    lines = [("a", f"p{n}", DAY - 1 - n) for n in range(11)]
    lines += [("b", "p5", DAY - 3)] * (BAND_LINES - 1)
    lines += [("c", "p5", DAY - BAND_DAYS)] * BAND_LINES + [("c", "p9", DAY - BAND_DAYS - 1)] * 30
    lines += [("d", "p5", DAY - 3)] * (BAND_LINES - 1) + [("d", "unpriced", DAY - 3), ("d", "p5", DAY)]
    orders = pd.DataFrame([order(n, *line) for n, line in enumerate(lines)])
    levels = pd.DataFrame({"product_id": [f"p{n}" for n in range(11)], "price_level": [n / 10 for n in range(11)]})
    unpriced = pd.DataFrame({"product_id": ["unpriced"], "price_level": [np.nan]})
    snapshot = store(tmp_path, {"orders": orders}).at(AS_OF)
    monkeypatch.setattr("training.content.MEMBERS_AT_ONCE", at_once)
    members = pd.Series(["a", "b", "c", "d"])
    bands = read(price_bands(snapshot, pd.concat([levels, unpriced]), members)).set_index("member_id")
    assert set(bands.index) == {"a", "c"}
    assert list(bands.loc["a"]) == pytest.approx([0.1, 0.9])
    assert list(bands.loc["c"]) == pytest.approx([0.5, 0.5])


def test_what_is_declared_of_members_is_read_by_name(tmp_path: Path) -> None:
    listed = pd.DataFrame(
        {"member_id": ["a", "b", "c"], "attributes": [{"goal": "sleep, bones", "size": None}, {"goal": None}, None]}
    )
    tables = store(tmp_path, {"orders": pd.DataFrame([order(0, "a", "tea", DAY - 1)]), "members": listed})
    assert attributes(tables.at(AS_OF)).to_pylist() == [{"member_id": "a", "attributes": '{"goal": "sleep, bones"}'}]


def test_what_was_never_bought_may_be_discovered_by_its_own_score() -> None:
    scored = pd.DataFrame(
        {
            "member_id": "m",
            "product_id": ["bought", "new", "hopeless"],
            "score": [0.9, 0.1, 0.2],
            "discovery": [0.0, 0.03, 0.0],
            "purchase_days": [2.0, 0.0, 0.0],
            "reason": ["again", "in_category", "popular"],
        }
    )
    found = read(discoveries(frame_query("scored", scored)))
    assert found.to_dict("records") == [{"member_id": "m", "product_id": "new", "score": 0.03, "reason": "in_category"}]


def test_what_runs_out_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    listed = pd.DataFrame({"product_id": ["kettle", "tea", "thing"], "is_consumable": [False, True, None]})
    tables = store(tmp_path, {"orders": pd.DataFrame([order(0, "a", "tea", DAY - 1)]), "products": listed})
    told = products(tables.at(AS_OF)).set_index("product_id")["consumable"]
    assert (told["kettle"], told["tea"]) == (0, 1)
    assert np.isnan(told["thing"])
