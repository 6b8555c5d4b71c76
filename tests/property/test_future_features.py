"""What happens at or after as_of moves no feature: planted futures give the same snapshots, value by value."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.features.build import build_snapshot
from tests.shop import START, Frames, at, make_frames, store

CUT = 90
ZONE = "Asia/Shanghai"
AS_OF = AsOf(START, ZONE).plus(days=CUT)
# From the very instant of as_of on.
LATER = st.floats(0, 40, allow_nan=False).map(lambda days: at(CUT, 24 * days))


@cache
def past() -> Frames:
    return make_frames(members=14, days=CUT + 20, seed=5)


def views(frames: Frames) -> dict[str, pd.DataFrame]:
    with TemporaryDirectory() as folder:
        tables = store(Path(folder), frames)
        built = build_snapshot(tables.at(AS_OF), Path(folder) / "snapshots")
        return {str(view): built.read(view) for view in View} | {"neighbours": built.neighbours()}


@cache
def before() -> dict[str, pd.DataFrame]:
    return views(past())


def same(built: dict[str, pd.DataFrame], wanted: dict[str, pd.DataFrame]) -> None:
    for name, frame in wanted.items():
        pd.testing.assert_frame_equal(built[name], frame, check_exact=True, obj=str(name))


def with_row(frames: Frames, table: str, row: dict[str, Any]) -> Frames:
    old = frames[table]
    new = pd.DataFrame([{column: row.get(column) for column in old.columns}], dtype=object)
    for column in old.columns:
        if str(old[column].dtype).startswith("datetime"):
            new[column] = pd.to_datetime(new[column])
    return {**frames, table: pd.concat([old.astype(object), new.astype(object)], ignore_index=True)}


members = st.sampled_from([*sorted(past()["members"]["member_id"]), "a newcomer"])
products = st.sampled_from([*sorted(past()["products"]["product_id"]), "never seen"])


@st.composite
def futures(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Rows of every kind that came to be at or after as_of."""
    planted: list[tuple[str, dict[str, Any]]] = []
    for number in range(draw(st.integers(2, 9))):
        when, member, product = draw(LATER), draw(members), draw(products)
        kind = draw(st.sampled_from(["orders", "events", "contacts", "redemptions", "members", "products"]))
        rows: dict[str, dict[str, Any]] = {
            "orders": {
                "order_id": f"planted-{number}",
                "member_id": member,
                "product_id": product,
                "ordered_at": when,
                "quantity": draw(st.sampled_from([1.0, 3.5, 1e6])),
                "amount": draw(st.floats(0, 1e6)),
                "discount": draw(st.floats(0, 10)),
                "coupon_id": "券-A",
                "channel": "moon",
                "store_id": "店9",
                "is_return": draw(st.booleans()),
            },
            "events": {
                "event_id": f"planted-{number}",
                "member_id": member,
                "type": draw(st.sampled_from(["view", "cart", "favourite", "search"])),
                "product_id": product,
                "occurred_at": when,
            },
            "contacts": {"campaign_id": "summer", "member_id": member, "sent_at": when},
            "redemptions": {"coupon_id": "券-A", "member_id": member, "order_id": f"r{number}", "redeemed_at": when},
            "members": {"member_id": f"new-{number}", "registered_at": when, "consent_personalised": True},
            # Launches are announced 28 days ahead; what comes later is not even known by name.
            "products": {
                "product_id": f"new-{number}",
                "category": "面包",
                "brand": "brand-1",
                "price": 9.0,
                "launched_at": when + pd.Timedelta(days=28),
            },
        }
        planted.append((kind, rows[kind]))
    return planted


@given(futures())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_future_moves_no_feature(planted: list[tuple[str, dict[str, Any]]]) -> None:
    frames = past()
    for table, row in planted:
        frames = with_row(frames, table, row)
    same(views(frames), before())


def test_the_last_instant_before_as_of_does_move_features() -> None:
    row = {
        "order_id": "late",
        "member_id": past()["members"]["member_id"][0],
        "product_id": past()["products"]["product_id"][0],
        "ordered_at": at(CUT, 0) - pd.Timedelta(microseconds=1),
        "quantity": 1.0,
        "amount": 5.0,
        "is_return": False,
    }
    moved = views(with_row(past(), "orders", row))[View.MEMBER].set_index("member_id")
    assert moved.loc[row["member_id"], "days_since_purchase"] == 1


def test_without_the_future_nothing_differs() -> None:
    frames = dict(past())
    cut = pd.Timestamp(at(CUT, 0))
    for table, time in (("orders", "ordered_at"), ("events", "occurred_at"), ("contacts", "sent_at")):
        frames[table] = frames[table][pd.to_datetime(frames[table][time]) < cut].reset_index(drop=True)
    frames["redemptions"] = frames["redemptions"][pd.to_datetime(frames["redemptions"]["redeemed_at"]) < cut]
    same(views(frames), before())


def test_an_announced_launch_adds_its_rows_and_moves_no_other() -> None:
    launch = {
        "product_id": "000-announced",
        "category": "a new category",
        "subcategory": "a new kind",
        "brand": "a new brand",
        "price": 7.0,
        "launched_at": at(CUT + 3, 0),
    }
    moved = views(with_row(past(), "products", launch))
    items = moved[View.PRODUCT]
    added = items[items["product_id"] == "000-announced"].iloc[0]
    assert added["product_days_since_launch"] == -3
    assert added[["product_buyers", "product_brand_buyers_90d"]].tolist() == [0, 0]
    pairs = moved[View.MEMBER_PRODUCT]
    new = pairs[pairs["product_id"] == "000-announced"]
    assert len(new)
    assert set(new["is_launch"]) == {1.0}
    assert set(new["is_candidate"]) == {0.0}
    assert np.isnan(new["own_product_als_score"]).all()
    for view in (View.PRODUCT, View.MEMBER_PRODUCT):
        moved[view] = moved[view][moved[view]["product_id"] != "000-announced"].reset_index(drop=True)
    same(moved, before())
