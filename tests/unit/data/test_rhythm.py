from pathlib import Path

import pandas as pd
import pytest

from recsys.core.errors import TableError
from recsys.data.rhythm import gap_quantile
from tests.shop import at, store


def test_gaps_are_between_purchase_days_of_one_member(tmp_path: Path) -> None:
    lines = [("a", 0, 0), ("a", 0, 5), ("a", 4, 0), ("a", 14, 0), ("b", 1, 0), ("b", 3, 0), ("c", 2, 0)]
    orders = pd.DataFrame(
        {
            "order_id": [str(number) for number in range(len(lines))],
            "member_id": [member for member, _, _ in lines],
            "product_id": "p",
            "ordered_at": [at(day, 10 + hour) for _, day, hour in lines],
            "quantity": 1.0,
            "amount": 1.0,
            "is_return": False,
        }
    )
    back = orders.tail(1).assign(order_id="back", ordered_at=at(9), is_return=True)
    tables = store(tmp_path, {"orders": pd.concat([orders, back])})
    whole = tables.at(tables.end)
    assert [gap_quantile(whole, share) for share in (0, 0.5, 0.75, 1)] == [2, 4, 7, 10]
    assert gap_quantile(tables.at(tables.first.plus(days=14)), 1) == 4
    with pytest.raises(TableError, match="no member bought on two days"):
        gap_quantile(tables.at(tables.first.plus(days=3)), 0.9)
