"""The edges of a stage: whole mall days, calendar months, children not born yet."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.features.build import build_snapshot
from recsys.features.life_stage import needs
from tests.shop import store

ZONE = "Asia/Shanghai"
STAGES = pd.DataFrame(
    [("一段", 0, 6, "二段"), ("二段", 6, 12, None), ("奶嘴", 1, 3, None), ("奶嘴", 9, 10, None)],
    columns=["category", "from_month", "to_month", "next_category"],
)
CATEGORIES = ("一段", "二段", "奶嘴", "面包")


def stages(root: Path, born: date | None, day: date) -> pd.DataFrame:
    """Return the stage features of a member who bought in every category long before the day, by category."""
    products = pd.DataFrame({"product_id": CATEGORIES, "category": CATEGORIES})
    orders = pd.DataFrame(
        {
            "order_id": "1",
            "member_id": "m",
            "product_id": CATEGORIES,
            "ordered_at": pd.Timestamp("2020-01-01 10:00"),
            "quantity": 1.0,
            "amount": 5.0,
        }
    )
    members = pd.DataFrame({"member_id": ["m"], "child_birth_date": [born]}, dtype=object)
    frames = {"orders": orders, "products": products, "members": members, "life_stages": STAGES}
    tables = store(root, frames, zone=ZONE)
    snapshot = tables.at(AsOf(day, ZONE))
    pairs = build_snapshot(snapshot, root / "snapshots").read(View.MEMBER_CATEGORY).set_index("category")
    found = pairs[["stage_days_left", "stage_days_since_end", "stage_share_passed"]]
    ends = needs(snapshot).set_index("category")["ends_day"]
    known = found["stage_days_left"].notna()
    assert set(ends.index) == set(found.index[known])
    left = found["stage_days_left"] - found["stage_days_since_end"]
    assert (ends.reindex(left.index[known]) - AsOf(day, ZONE).number == left[known]).all()
    return found


def test_a_need_lasts_up_to_and_without_the_day_of_the_month_of_age(tmp_path: Path) -> None:
    born = date(2023, 1, 15)
    end = date(2023, 7, 15)
    for number, (day, left, since) in enumerate(
        [(end - timedelta(days=1), 1, 0), (end, 0, 0), (end + timedelta(days=1), 0, 1)]
    ):
        found = stages(tmp_path / str(number), born, day).loc["一段"]
        assert (found["stage_days_left"], found["stage_days_since_end"]) == (left, since)
        assert (found["stage_share_passed"] < 1) == (left > 0)


@pytest.mark.parametrize(
    ("born", "end"),
    [
        (date(2023, 8, 31), date(2024, 2, 29)),
        (date(2022, 8, 31), date(2023, 2, 28)),
        (date(2023, 2, 28), date(2023, 8, 28)),
    ],
)
def test_months_are_the_calendar_s(tmp_path: Path, born: date, end: date) -> None:
    found = stages(tmp_path, born, date(2024, 5, 1)).loc["一段"]
    assert found["stage_days_since_end"] == (date(2024, 5, 1) - end).days


def test_the_stage_that_lasts_comes_before_the_next_and_that_before_the_last(tmp_path: Path) -> None:
    born = date(2023, 1, 1)
    expected = {
        date(2023, 1, 20): ((date(2023, 4, 1), date(2023, 2, 1))),
        date(2023, 3, 1): ((date(2023, 4, 1), date(2023, 2, 1))),
        date(2023, 4, 1): ((date(2023, 11, 1), date(2023, 10, 1))),
        date(2023, 12, 1): ((date(2023, 11, 1), date(2023, 10, 1))),
    }
    for number, (day, (end, start)) in enumerate(expected.items()):
        found = stages(tmp_path / str(number), born, day).loc["奶嘴"]
        assert found["stage_days_left"] == max((end - day).days, 0)
        assert found["stage_days_since_end"] == max((day - end).days, 0)
        assert found["stage_share_passed"] == (day - start).days / (end - start).days


@pytest.mark.parametrize("born", [None, date(2024, 5, 1), date(2024, 8, 1)])
def test_without_a_child_born_before_as_of_nothing_is_told(tmp_path: Path, born: date | None) -> None:
    assert np.isnan(stages(tmp_path, born, date(2024, 5, 1)).to_numpy()).all()


def test_a_category_without_a_stage_tells_nothing(tmp_path: Path) -> None:
    found = stages(tmp_path, date(2024, 4, 30), date(2024, 5, 1))
    assert np.isnan(found.loc["面包"].to_numpy()).all()
    assert found.loc["一段", "stage_days_left"] == (date(2024, 10, 30) - date(2024, 5, 1)).days
