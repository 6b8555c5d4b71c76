from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import ConfigError
from recsys.core.frames import Rows
from recsys.core.task import Task, View
from recsys.core.time import Window
from recsys.data.tables import Tables
from recsys.labels.margins import Margins
from recsys.labels.outcomes import label
from tests.shop import at, store

HORIZON = 14
NOW = 20
KEYS = {
    "churn": ("member_id",),
    "value": ("member_id",),
    "repurchase": ("member_id", "category"),
    "new_product": ("member_id", "product_id"),
    "recommend": ("member_id", "product_id"),
    "recommend_subcategory": ("member_id", "subcategory"),
}


def rows(tables: Tables, name: str, keys: Sequence[tuple[str, ...]], *, day: int = NOW, horizon: int = HORIZON) -> Rows:
    least = 1 if name == "repurchase" else None
    task = Task(name, horizon, KEYS[name], (View.MEMBER,), "true", ("score",), "auc", least)
    frame = pd.DataFrame(keys, columns=list(task.keys), dtype=object)
    return Rows(task, tables.first.plus(days=day), frame, pd.DataFrame(index=frame.index), ())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    lines: list[tuple[str, str, datetime, bool]] = [
        ("a", "tea", at(0), False),
        ("a", "tea", at(NOW, 0), False),
        ("a", "tea", at(NOW + 3), False),
        ("b", "tea", at(NOW + HORIZON, 0), False),
        ("c", "tea", at(NOW + HORIZON - 1, 23.9), False),
        ("d", "tea", at(NOW + 1), True),
        ("d", "loose", at(NOW + 5), False),
        ("e", "unlisted", at(NOW + 2), False),
        ("李", "cup", at(NOW + 4), False),
        ("z", "cup", at(NOW + 39), False),
        ("f", "unlisted", at(NOW - 1, 23.9), False),
        ("f", "tea", at(NOW + 6, 0), False),
        ("f", "cup", at(NOW + 6, 23.9), False),
        ("f", "loose", at(NOW + 7, 0), False),
        ("f", "tea", at(NOW + 8), False),
    ]
    orders = pd.DataFrame(lines, columns=["member_id", "product_id", "ordered_at", "is_return"])
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))], quantity=1.0, amount=1.0)
    products = pd.DataFrame(
        {
            "product_id": ["tea", "cup", "loose"],
            "category": ["drinks", "ware", None],
            "subcategory": ["hot", "hot", None],
        }
    )
    return store(tmp_path_factory.mktemp("shop"), {"orders": orders, "products": products})


def test_churn_is_no_purchase_in_the_half_open_window(tables: Tables) -> None:
    members = [("z",), ("a",), ("b",), ("c",), ("d",), ("nobody",)]
    labels = label(tables, rows(tables, "churn", members))
    assert labels.y["y"].tolist() == [1, 0, 1, 0, 0, 1]
    assert labels.window == Window.after(tables.first.plus(days=NOW), days=HORIZON)


def test_goods_brought_back_are_no_purchase(tables: Tables) -> None:
    assert label(tables, rows(tables, "churn", [("d",)], horizon=5)).y["y"].tolist() == [1]
    assert label(tables, rows(tables, "recommend", [("d", "tea"), ("d", "loose")])).y["y"].tolist() == [0, 1]


def test_a_product_is_bought_in_the_window_or_not(tables: Tables) -> None:
    pairs = [("李", "cup"), ("李", "tea"), ("b", "tea"), ("c", "tea"), ("a", "tea")]
    assert label(tables, rows(tables, "new_product", pairs)).y["y"].tolist() == [1, 0, 0, 1, 1]


def test_value_is_the_days_the_money_and_what_is_left_of_it(tmp_path: Path) -> None:
    """Costs are 70% of the list price unless a category says otherwise; a discount comes out of the margin alone."""
    lines = [
        ("a", "tea", at(NOW, 0), 8.0, 2.0, False),
        ("a", "cup", at(NOW, 23.9), 10.0, 0.0, False),
        ("a", "tea", at(NOW + HORIZON - 1), 4.0, 6.0, False),
        ("a", "tea", at(NOW + 1), 50.0, 0.0, True),
        ("a", "tea", at(NOW + HORIZON, 0), 99.0, 0.0, False),
        ("a", "tea", at(NOW - 1, 23.9), 99.0, 0.0, False),
        ("b", "loose", at(NOW + 1), 10.0, 0.0, False),
        ("z", "cup", at(0), 1.0, 0.0, False),
        ("z", "cup", at(NOW + 39), 1.0, 0.0, False),
    ]
    names = ["member_id", "product_id", "ordered_at", "amount", "discount", "is_return"]
    orders = pd.DataFrame(lines, columns=names)
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))], quantity=1.0)
    products = pd.DataFrame({"product_id": ["tea", "cup", "loose"], "category": ["drinks", "ware", None]})
    shop = store(tmp_path, {"orders": orders, "products": products})
    wanted = rows(shop, "value", [("a",), ("b",), ("z",)])

    y = label(shop, wanted).y
    assert list(y) == ["purchases", "money", "margin"]
    assert y["purchases"].tolist() == [2, 1, 0]
    assert y["money"].tolist() == [22, 10, 0]
    assert y["margin"].to_numpy() == pytest.approx([(8 - 7) + (10 - 7) + (4 - 7), 3, 0])
    other = label(shop, wanted, Margins(share=0.5, categories={"drinks": 1.0, "nothing": 0.1})).y
    assert other["margin"].to_numpy() == pytest.approx([8 + 5 + 4, 5, 0])


def test_the_next_basket_is_the_first_purchase_day_of_the_window(tables: Tables) -> None:
    pairs = [("f", "tea"), ("f", "cup"), ("f", "loose"), ("f", "unlisted"), ("b", "tea"), ("a", "tea")]
    y = label(tables, rows(tables, "recommend", pairs)).y
    assert y["y"].tolist() == [1, 1, 0, 0, 0, 1]
    assert y["soon"].tolist() == [1, 1, 1, 0, 0, 1]


def test_a_subcategory_is_named_with_its_category_and_backs_off_to_it(tables: Tables) -> None:
    pairs = [("f", "drinks > hot"), ("f", "ware > hot"), ("f", "unknown"), ("f", "hot"), ("e", "unknown")]
    y = label(tables, rows(tables, "recommend_subcategory", pairs)).y
    assert y["y"].tolist() == [1, 1, 0, 0, 1]
    assert y["soon"].tolist() == [1, 1, 1, 0, 1]


def test_days_to_the_next_purchase_in_the_category(tables: Tables) -> None:
    pairs = [("b", "drinks"), ("c", "drinks"), ("a", "drinks"), ("d", "unknown"), ("e", "unknown"), ("李", "drinks")]
    y = label(tables, rows(tables, "repurchase", pairs)).y
    np.testing.assert_equal(y["days"].to_numpy(), [np.nan, 13, 0, 5, 2, np.nan])
    assert y["observed"].tolist() == [HORIZON] * 6
    assert y.dtypes.tolist() == [np.float64, np.float64]


def test_repurchase_is_censored_at_the_end_of_data(tables: Tables) -> None:
    labels = label(tables, rows(tables, "repurchase", [("z", "ware"), ("a", "drinks")], day=50))
    assert labels.window == Window(tables.first.plus(days=50), tables.end)
    np.testing.assert_equal(labels.y["days"].to_numpy(), [9, np.nan])
    assert labels.y["observed"].tolist() == [10, 10]


@pytest.mark.parametrize("name", sorted(set(KEYS) - {"repurchase"}))
def test_a_window_past_the_end_of_data_is_refused(tables: Tables, name: str) -> None:
    key = [("a", "tea")[: len(KEYS[name])]]
    last = 60 - HORIZON
    assert len(label(tables, rows(tables, name, key, day=last))) == 1
    with pytest.raises(ConfigError, match="data have 13"):
        label(tables, rows(tables, name, key, day=last + 1))


def test_repurchase_needs_at_least_a_day_of_data(tables: Tables) -> None:
    assert label(tables, rows(tables, "repurchase", [("a", "drinks")], day=59)).y["observed"].tolist() == [1]
    with pytest.raises(ConfigError):
        label(tables, rows(tables, "repurchase", [("a", "drinks")], day=60))


@pytest.mark.parametrize("name", sorted(KEYS))
def test_no_rows_no_labels(tables: Tables, name: str) -> None:
    y = label(tables, rows(tables, name, [])).y
    assert len(y) == 0
    columns = {"repurchase": ["days", "observed"], "recommend": ["y", "soon"], "recommend_subcategory": ["y", "soon"]}
    columns["value"] = ["purchases", "money", "margin"]
    assert list(y) == columns.get(name, ["y"])


def test_labels_follow_the_order_of_rows(tables: Tables) -> None:
    members = [(name,) for name in "zabcde"] * 2
    straight = label(tables, rows(tables, "churn", members)).y["y"].tolist()
    assert label(tables, rows(tables, "churn", members[::-1])).y["y"].tolist() == straight[::-1]


def test_a_window_of_another_zone_is_refused(tables: Tables, tmp_path: Path) -> None:
    elsewhere = store(
        tmp_path,
        {
            "orders": pd.DataFrame(
                [
                    {
                        "order_id": "1",
                        "member_id": "a",
                        "product_id": "p",
                        "ordered_at": at(60),
                        "quantity": 1,
                        "amount": 1,
                    }
                ]
            )
        },
        zone="UTC",
    )
    with pytest.raises(ConfigError):
        label(elsewhere, rows(tables, "churn", [("a",)]))
