from pathlib import Path
from typing import Any

import pytest

from recsys.core.errors import ConfigError
from recsys.data.mapping import FilesSource, IngestConfig, SqlSource

ZONE = {"timezone": "Asia/Shanghai"}
STAGE = {"category": "一段", "from_month": 0, "to_month": 6}


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        ({}, "timezone"),
        ({"timezone": "Moon/Base"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({**ZONE, "max_bad_share": 1.5}, "max_bad_share"),
        ({**ZONE, "colour": "red"}, "colour"),
        ({**ZONE, "source": {"folder": ".", "colour": 1}}, "source.files.colour"),
        ({**ZONE, "source": {"delimiter": "||"}}, "source.files.delimiter"),
        ({**ZONE, "source": {"delimiter": '"'}}, "source.files.delimiter"),
        ({**ZONE, "source": {"delimiter": ""}}, "source.files.delimiter"),
        ({**ZONE, "source": {"kind": "sql"}}, "source.sql"),
        ({**ZONE, "source": {"kind": "sql", "url": "a", "url_env": "B"}}, "source.sql"),
        ({**ZONE, "source": {"kind": "sql", "url": "a", "chunk": 0}}, "source.sql.chunk"),
        ({**ZONE, "source": 7}, "source"),
        ({**ZONE, "tables": {"baskets": {}}}, "tables"),
        ({**ZONE, "tables": {"orders": {"columns": {"colour": "red"}}}}, "tables"),
        ({**ZONE, "tables": {"orders": {"from": "a", "query": "b"}}}, "tables.orders"),
        ({**ZONE, "tables": {"orders": {"columns": {"amount": {}}}}}, "tables.orders.columns.amount"),
        (
            {**ZONE, "tables": {"orders": {"columns": {"amount": {"from": "a", "sql": "b"}}}}},
            "tables.orders.columns.amount",
        ),
        ({**ZONE, "tables": {"orders": {"zone": "Moon/Base"}}}, "tables.orders.zone"),
        ({**ZONE, "tables": {"orders": {"attributes": ["a"]}}}, "tables"),
        ({**ZONE, "tables": {"members": {"attributes": ["a"], "columns": {"attributes": "b"}}}}, "tables"),
        ({**ZONE, "tables": {"members": {"negative_is_return": True}}}, "tables"),
        ({**ZONE, "life_stages": [{"from_month": 0, "to_month": 6}]}, "life_stages.0.category"),
        ({**ZONE, "life_stages": [{**STAGE, "category": ""}]}, "life_stages.0.category"),
        ({**ZONE, "life_stages": [STAGE, {**STAGE, "from_month": -1}]}, "life_stages.1.from_month"),
        ({**ZONE, "life_stages": [{**STAGE, "from_month": 0.5}]}, "life_stages.0.from_month"),
        ({**ZONE, "life_stages": [{**STAGE, "to_month": 0}]}, "life_stages.0.to_month"),
        ({**ZONE, "life_stages": [{**STAGE, "to_month": 9999}]}, "life_stages.0.to_month"),
        ({**ZONE, "life_stages": [{**STAGE, "next_category": "一段"}]}, "life_stages.0.next_category"),
        ({**ZONE, "life_stages": [{**STAGE, "next": "二段"}]}, "life_stages.0.next"),
        ({**ZONE, "life_stages": [STAGE, {**STAGE, "from_month": 5, "to_month": 9}]}, "life_stages"),
    ],
)
def test_a_wrong_setting_is_named(data: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        IngestConfig.checked(data)
    assert caught.value.fields["setting"] == setting


def test_a_file_may_say_only_the_time_zone(tmp_path: Path) -> None:
    (tmp_path / "recsys.toml").write_text('timezone = "Asia/Shanghai"\n[source]\nfolder = "data"\n', encoding="utf-8")
    config = IngestConfig.load(tmp_path / "recsys.toml")
    assert config.source == FilesSource(folder=tmp_path / "data")
    assert config.tables == {}


def test_a_folder_that_is_absolute_stays_so(tmp_path: Path) -> None:
    (tmp_path / "recsys.toml").write_text('timezone = "UTC"\n[source]\nfolder = "/data"\n', encoding="utf-8")
    assert IngestConfig.load(tmp_path / "recsys.toml").source == FilesSource(folder=Path("/data"))


def test_a_database_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'timezone = "UTC"\n[source]\nkind = "sql"\nurl_env = "SHOP_URL"\n'
    (tmp_path / "recsys.toml").write_text(text, encoding="utf-8")
    source = IngestConfig.load(tmp_path / "recsys.toml").source
    assert isinstance(source, SqlSource)
    monkeypatch.setenv("SHOP_URL", "sqlite:///shop.db")
    assert source.address() == "sqlite:///shop.db"
    monkeypatch.setenv("SHOP_URL", "")
    with pytest.raises(ConfigError, match="SHOP_URL"):
        source.address()


def test_a_column_is_named_shortly_or_at_length() -> None:
    columns = {"amount": "paid", "quantity": {"sql": "1"}, "ordered_at": {"from": "at", "zone": "mall"}}
    config = IngestConfig.checked({**ZONE, "tables": {"orders": {"columns": columns}}})
    found = config.tables["orders"].columns
    assert (found["amount"].source, found["quantity"].sql, found["ordered_at"].zone) == ("paid", "1", "mall")
