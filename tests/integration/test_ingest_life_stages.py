"""Life stages of the settings are stored with the tables, and are part of what names them."""

from datetime import date
from pathlib import Path

import pytest

from recsys.core.config import Home
from recsys.core.errors import ConfigError
from recsys.core.time import AsOf
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot

ORDERS = "order_id,member_id,product_id,ordered_at,quantity,amount\n1,王,a,2024-03-01 10:00:00,1,5\n"
PRODUCTS = "product_id,category\na,一段\nb,二段\n"
STAGES = """
[[life_stages]]
category = "一段"
from_month = 0
to_month = 6
next_category = "二段"

[[life_stages]]
category = "二段"
from_month = 6
to_month = 12
"""


def load(folder: Path, stages: str) -> Tables:
    (folder / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (folder / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    (folder / "recsys.toml").write_text('timezone = "Asia/Shanghai"\n' + stages, encoding="utf-8")
    home = Home(folder / "home")
    ingest(IngestConfig.load(folder / "recsys.toml"), home, lambda _step, _done, _total: None)
    return Tables.open(home.tables)


def rows(tables: Tables) -> list[tuple[object, ...]]:
    with tables.connect() as connection:
        found: list[tuple[object, ...]] = connection.execute("FROM life_stages ORDER BY from_month").fetchall()
    return found


def test_changed_stages_are_other_tables_and_no_stages_are_none(tmp_path: Path) -> None:
    without = load(tmp_path, "")
    first = load(tmp_path, STAGES)
    assert rows(first) == [("一段", 0, 6, "二段"), ("二段", 6, 12, None)]
    assert load(tmp_path, STAGES) == first
    longer = load(tmp_path, STAGES.replace("to_month = 12", "to_month = 18"))
    assert rows(longer)[1] == ("二段", 6, 18, None)
    again = load(tmp_path, "")
    assert rows(again) == []
    assert again.digest == without.digest
    assert len({without.digest, first.digest, longer.digest}) == 3


def test_changed_stages_compute_features_anew(tmp_path: Path) -> None:
    as_of = AsOf(date(2024, 3, 5), "Asia/Shanghai")
    folders = []
    for stages in (STAGES, STAGES, STAGES.replace("to_month = 6", "to_month = 5")):
        folders.append(build_snapshot(load(tmp_path, stages).at(as_of), tmp_path / "snapshots").manifest)
    assert folders[0] == folders[1]
    assert folders[0]["tables_digest"] != folders[2]["tables_digest"]


@pytest.mark.parametrize(
    ("old", "new", "setting"),
    [
        ('category = "二段"\nfrom_month = 6', 'category = "三段"\nfrom_month = 6', "life_stages.1.category"),
        ('next_category = "二段"', 'next_category = "三段"', "life_stages.0.next_category"),
    ],
)
def test_a_category_that_no_product_has_is_named_and_nothing_is_stored(
    tmp_path: Path, old: str, new: str, setting: str
) -> None:
    before = load(tmp_path, STAGES)
    assert old in STAGES
    with pytest.raises(ConfigError, match="三段") as caught:
        load(tmp_path, STAGES.replace(old, new))
    assert caught.value.fields["setting"] == setting
    assert Tables.open(Home(tmp_path / "home").tables) == before
