import pandas as pd
import pytest

from recsys.core.time import Window
from recsys.data.tables import Tables
from recsys.labels.truth import bought
from tests.shop import at, store


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    lines = [
        ("a", "tea", at(1), False),
        ("a", "tea", at(10, 0), False),
        ("a", "cup", at(12), False),
        ("a", "cup", at(13), False),
        ("a", "pot", at(14), True),
        ("b", "tea", at(17, 0), False),
        ("b", "cup", at(2), False),
        ("c", "cup", at(9, 0), False),
        ("c", "unlisted", at(9, 23), False),
        ("c", "pot", at(3), False),
    ]
    orders = pd.DataFrame(lines, columns=["member_id", "product_id", "ordered_at", "is_return"])
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))], quantity=1.0, amount=1.0)
    products = pd.DataFrame(
        {
            "product_id": ["tea", "cup", "pot"],
            "category": ["drinks", "ware", "ware"],
            "subcategory": [None, "round", "round"],
        }
    )
    return store(tmp_path_factory.mktemp("shop"), {"orders": orders, "products": products})


def found(tables: Tables, item: str) -> list[tuple[object, ...]]:
    frame = bought(tables, Window.after(tables.first.plus(days=8), days=7), item)
    assert list(frame) == ["member_id", item, "repeat", "next"]
    return list(frame.itertuples(index=False, name=None))


def test_what_was_bought_in_a_window_whether_before_and_whether_next(tables: Tables) -> None:
    assert found(tables, "product_id") == [
        ("a", "cup", False, False),
        ("a", "tea", True, True),
        ("c", "cup", False, True),
        ("c", "unlisted", False, True),
    ]


def test_the_same_by_subcategory(tables: Tables) -> None:
    assert found(tables, "subcategory") == [
        ("a", "drinks", True, True),
        ("a", "ware > round", False, False),
        ("c", "unknown", False, True),
        ("c", "ware > round", True, True),
    ]


def test_a_window_without_purchases_lists_nothing(tables: Tables) -> None:
    assert len(bought(tables, Window.after(tables.first.plus(days=4), days=4), "product_id")) == 0
