import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.answers.audience.formats import BOM, Format, encode, expected_bytes
from recsys.answers.audience.package import SCHEMA

ROWS: list[dict[str, Any]] = [
    {
        "member_id": '会员,"1"\n',
        "arm": "treated",
        "score": 0.1,
        "reason": "due",
        "reason_zh": "=HYPERLINK(1)",
        "reason_en": 'a "quoted" \\ line\nof two',
        "products": ["p;1", 'p"2'],
        "due_day": "2025-04-03",
        "channel": "短信",
        "hour": 20,
        "format": None,
        "benefit": "+5",
    },
    {"member_id": "-2", "arm": "held_out", "score": None, "products": []},
    {"member_id": "3", "arm": "treated", "score": 1e-7, "products": None, "reason_zh": "", "hour": 0},
    {"member_id": "\x01\t", "arm": "treated", "score": 1.0, "products": ["p3"]},
]


def table(rows: list[dict[str, Any]]) -> Any:
    text_days: dict[str, Any] = {field.name: field.type for field in SCHEMA} | {"due_day": pa.string()}
    return pa.Table.from_pylist(rows, pa.schema(text_days)).cast(SCHEMA)


def whole(kind: Format, *parts: Any) -> bytes:
    return b"".join(encode(kind, SCHEMA, parts, products=2))


def expected() -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in SCHEMA.names} for row in ROWS]


@pytest.mark.parametrize("cut", [0, 1, 3, 4])
def test_json_lines_say_what_the_table_says(cut: int) -> None:
    rows = table(ROWS)
    lines = whole(Format.JSONL, rows.slice(0, cut), rows.slice(cut)).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == expected()


def test_parquet_says_what_the_table_says_in_any_parts() -> None:
    rows = table(ROWS)
    for parts in ([rows], [rows.slice(0, 1), rows.slice(1)], []):
        read = pq.read_table(io.BytesIO(whole(Format.PARQUET, *parts)))
        assert read.schema.equals(SCHEMA)
        assert read.to_pylist() == (rows.to_pylist() if parts else [])


def test_csv_is_as_spreadsheets_want_it() -> None:
    data = whole(Format.CSV, table(ROWS[:1]), table(ROWS[1:]))
    assert data.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["member_id"] for row in rows] == [row["member_id"] for row in ROWS]
    assert (rows[0]["reason_zh"], rows[0]["benefit"]) == ("'=HYPERLINK(1)", "'+5")
    assert rows[0]["reason_en"] == ROWS[0]["reason_en"]
    assert [(row["product_1"], row["product_2"]) for row in rows] == [("p;1", 'p"2'), ("", ""), ("", ""), ("p3", "")]
    assert [float(row["score"]) if row["score"] else None for row in rows] == [0.1, None, 1e-7, 1.0]
    assert (rows[0]["due_day"], rows[0]["hour"], rows[1]["hour"], rows[2]["hour"]) == ("2025-04-03", "20", "", "0")


def test_without_members_there_is_a_header_and_no_more() -> None:
    assert whole(Format.CSV).decode("utf-8-sig").splitlines()[0].startswith('"member_id","arm","score"')
    assert len(whole(Format.CSV).splitlines()) == 1
    assert whole(Format.JSONL) == b""


@pytest.mark.parametrize("kind", [Format.CSV, Format.JSONL])
def test_the_expected_size_is_that_of_rows_like_the_sample(kind: Format) -> None:
    many = table(ROWS * 50)
    assert abs(expected_bytes(kind, table(ROWS), 200, products=2) / len(whole(kind, many)) - 1) < 0.01
    assert expected_bytes(kind, table(ROWS), 0, products=2) == len(whole(kind))
    assert expected_bytes(kind, table([]), 10, products=2) == len(whole(kind))
