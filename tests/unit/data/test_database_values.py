from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from recsys.data.sql_source import as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("茶", "茶"),
        (7, "7"),
        (0.1, "0.1"),
        (Decimal("2.50"), "2.50"),
        (True, "True"),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime(2024, 3, 1, 9, tzinfo=UTC), "2024-03-01 09:00:00+00:00"),
        (b"\xe8\x8c\xb6\xff", "茶�"),
        ({"大": "L"}, '{"大": "L"}'),
        ([1, "a"], '[1, "a"]'),
    ],
)
def test_a_value_is_written_as_its_type_reads_it(value: Any, text: str | None) -> None:
    assert as_text(value) == text
