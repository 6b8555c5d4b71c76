"""Tags that the library computes in SQL, held to plain loops over a shop's rows."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.tagging.catalogue import CHANNEL_PREFIX, HOUR_BANDS, HOUR_PREFIX
from recsys.artifacts.tagging.derive import age_band, computed_tags, lateness
from recsys.artifacts.tagging.promotion import CELL_LINES, LEAST_EXPECTED, LEAST_LINES, OWN_LINES, PERIOD, PERIODS
from recsys.artifacts.tagging.settings import Segments
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from tests.shop import START, make_shop

DAY = 200
AS_OF = AsOf(START, "Asia/Shanghai").plus(days=DAY)
TODAY = AS_OF.number


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=60)


@pytest.fixture(scope="module")
def rows(shop: Tables) -> dict[str, pd.DataFrame]:
    with shop.connect() as connection:
        orders = connection.execute("FROM orders WHERE NOT is_return AND day < $day", {"day": TODAY}).df()
        events = connection.execute("FROM events WHERE day < $day", {"day": TODAY}).df()
        products = connection.execute("FROM products").df()
    return {"orders": orders, "events": events, "products": products}


@pytest.fixture(scope="module")
def tags(shop: Tables, rows: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    ids = sorted(rows["orders"]["member_id"].unique())
    names = ("age_years", "child_age_months", "days_since_registration", "days_since_first_purchase")
    numbers = dict.fromkeys((*names, "purchase_days", "weighted_gap", "days_since_purchase"), np.nan)
    members = pd.DataFrame({"member_id": ids, **numbers, "source_channel": None})
    return computed_tags(shop.at(AS_OF), members, Segments()).set_index("member_id")


def own(rows: Mapping[str, pd.DataFrame], table: str, member: str) -> list[dict[str, Any]]:
    frame = rows[table]
    return [
        {str(name): value for name, value in row.items()}
        for row in frame[frame["member_id"] == member].to_dict("records")
    ]


def test_visits_are_days_with_an_event_or_a_purchase(tags: pd.DataFrame, rows: Mapping[str, pd.DataFrame]) -> None:
    for member, told in tags.iterrows():
        days = {row["day"] for table in ("orders", "events") for row in own(rows, table, str(member))}
        assert told["visit_days_30d"] == sum(day >= TODAY - 30 for day in days)
        assert told["visit_days_90d"] == sum(day >= TODAY - 90 for day in days)
    assert tags["visit_days_90d"].max() > tags["visit_days_30d"].max() > 0


def test_recency_by_channel_and_hour_is_of_the_last_such_purchase(
    tags: pd.DataFrame, rows: Mapping[str, pd.DataFrame]
) -> None:
    channels = {name.removeprefix(CHANNEL_PREFIX) for name in map(str, tags) if name.startswith(CHANNEL_PREFIX)}
    assert channels == set(rows["orders"]["channel"].dropna())
    for member, told in tags.iterrows():
        lines = own(rows, "orders", str(member))
        for channel in channels:
            days = [TODAY - line["day"] for line in lines if line["channel"] == channel]
            np.testing.assert_equal(told[f"{CHANNEL_PREFIX}{channel}"], min(days, default=np.nan))
        counts: Counter[str] = Counter()
        for band, (start, end) in HOUR_BANDS.items():
            hours = {hour % 24 for hour in range(start, end + 24 * (end < start))}
            inside = [line for line in lines if line["hour"] in hours]
            counts[band] = len(inside)
            np.testing.assert_equal(
                told[f"{HOUR_PREFIX}{band}"], min((TODAY - line["day"] for line in inside), default=np.nan)
            )
        assert told["main_hours"] == counts.most_common(1)[0][0]
        assert told["main_hours_share"] == pytest.approx(max(counts.values()) / len(lines))


def test_lifts_are_of_what_was_on_offer_without_the_member(
    tags: pd.DataFrame, rows: Mapping[str, pd.DataFrame]
) -> None:
    orders = rows["orders"].merge(rows["products"][["product_id", "category"]], how="left", on="product_id")
    orders = orders[orders["day"] >= TODAY - PERIOD * PERIODS].assign(
        category=orders["category"].fillna("unknown"), period=(TODAY - 1 - orders["day"]) // PERIOD
    )
    cells: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in orders.to_dict("records"):
        cells[row["category"], row["period"]].append({str(name): value for name, value in row.items()})
    lines = [line for cell in cells.values() for line in cell]
    cut = [line for line in lines if line["discount"] > 0]
    listed = sum(line["amount"] + line["discount"] for line in lines)
    off = sum(line["discount"] for line in lines)
    share, depth, price = len(cut) / len(lines), off / listed, listed / len(lines)
    known = 0
    for member, told in tags.iterrows():
        mine = [line for line in lines if line["member_id"] == member]
        expected, expected_off = 0.0, 0.0
        for name, cell in cells.items():
            of_mine = [line for line in mine if (line["category"], line["period"]) == name]
            rest = [line for line in cell if line["member_id"] != member]
            rate = (sum(line["discount"] > 0 for line in rest) + CELL_LINES * share) / (len(rest) + CELL_LINES)
            expected += len(of_mine) * rate
            value = sum(line["amount"] + line["discount"] for line in rest)
            deep = (sum(line["discount"] for line in rest) + CELL_LINES * price * depth) / (value + CELL_LINES * price)
            expected_off += sum(line["amount"] + line["discount"] for line in of_mine) * deep
        if len(mine) < LEAST_LINES or expected < LEAST_EXPECTED:
            assert np.isnan(told["promotion_index"])
            continue
        known += 1
        by_share = (sum(line["discount"] > 0 for line in mine) + OWN_LINES) / (expected + OWN_LINES)
        drawn = OWN_LINES * off / len(cut)
        by_depth = (sum(line["discount"] for line in mine) + drawn) / (expected_off + drawn)
        assert told["promotion_share_lift"] == pytest.approx(by_share, rel=1e-4)
        assert told["promotion_depth_lift"] == pytest.approx(by_depth, rel=1e-4)
        assert told["promotion_index"] == pytest.approx(np.sqrt(by_share * by_depth), rel=1e-4)
    assert known > 20


def test_age_bands_are_half_open_and_nobody_is_of_negative_age() -> None:
    told = age_band(pd.Series([0, 17.9, 18, 24.99, 25, 54, 55, 101, -1, np.nan]))
    assert told.tolist() == [
        "0-17", "0-17", "18-24", "18-24", "25-34", "45-54", "55+", "55+", None, None,
    ]  # fmt: skip


def test_lateness_is_drawn_to_the_middle_gap_where_few_gaps_are_known() -> None:
    members = pd.DataFrame(
        {
            "purchase_days": [1, 2, 4, 0, 3],
            "weighted_gap": [np.nan, 10, 10, np.nan, 0.1],
            "days_since_purchase": [20, 20, 20, np.nan, 3],
        }
    )
    assert lateness(members).tolist() == pytest.approx([2, 2, 2, np.nan, 3 / max((0.2 + 10) / 3, 1)], nan_ok=True)
    none = members.assign(weighted_gap=np.nan)
    assert lateness(none).isna().all()


def test_a_shop_of_nothing_has_all_columns(tmp_path: Path, tags: pd.DataFrame) -> None:
    empty = make_shop(tmp_path, members=2, days=3)
    members = pd.DataFrame({"member_id": ["nobody"], "source_channel": [None]})
    numbers = ("age_years", "child_age_months", "days_since_registration", "days_since_first_purchase")
    for name in (*numbers, "purchase_days", "weighted_gap", "days_since_purchase"):
        members[name] = np.nan
    told = computed_tags(empty.at(AsOf(START, "Asia/Shanghai")), members, Segments())
    families = (CHANNEL_PREFIX, HOUR_PREFIX)
    assert {name for name in map(str, tags) if not name.startswith(families)} == {
        name for name in map(str, told) if name != "member_id" and not name.startswith(families)
    }
    assert told.loc[0, "visit_days_90d"] == 0
    assert told.drop(columns=["member_id", "visit_days_30d", "visit_days_90d"]).isna().all(axis=None)
