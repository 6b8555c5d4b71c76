from pathlib import Path

import pandas as pd

from recsys.core.time import Window
from recsys.labels.truth import bought
from tests.shop import at, store


def test_what_was_bought_in_a_window_and_whether_before(tmp_path: Path) -> None:
    lines = [
        ("a", "tea", at(1), False),
        ("a", "tea", at(10, 0), False),
        ("a", "cup", at(12), False),
        ("a", "cup", at(13), False),
        ("a", "pot", at(14), True),
        ("b", "tea", at(17, 0), False),
        ("b", "cup", at(2), False),
    ]
    orders = pd.DataFrame(lines, columns=["member_id", "product_id", "ordered_at", "is_return"])
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))], quantity=1.0, amount=1.0)
    tables = store(tmp_path, {"orders": orders})
    found = bought(tables, Window.after(tables.first.plus(days=9), days=7))
    assert found.to_dict("records") == [
        {"member_id": "a", "product_id": "cup", "repeat": False},
        {"member_id": "a", "product_id": "tea", "repeat": True},
    ]
