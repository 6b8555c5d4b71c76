from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import ConfigError
from recsys.core.frames import Rows
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot, read_rows
from recsys.features.described import Described, described_rows
from recsys.models.new_product import TASK, known_before_launch
from tests.shop import Frames, make_frames, store

LAUNCH = "new to all"


def frames() -> Frames:
    return make_frames(members=40, days=200, seed=2)


def launched(shop: Frames, as_of: AsOf) -> Frames:
    """The shop with one more product, launched at as_of, of a category and brand that it sells."""
    products = shop["products"]
    like = products[products["brand"].notna() & products["subcategory"].notna()].iloc[0]
    new = pd.DataFrame([{**like, "product_id": LAUNCH, "launched_at": as_of.instant.replace(tzinfo=None)}])
    return {**shop, "products": pd.concat([products, new.astype(products.dtypes)], ignore_index=True)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return store(tmp_path_factory.mktemp("shop"), frames())


@pytest.fixture(scope="module")
def as_of(tables: Tables) -> AsOf:
    return tables.end.plus(days=-30)


def told(rows: Rows) -> pd.DataFrame:
    """What a launch model reads of the rows, by member."""
    names = [spec.name for spec in known_before_launch(rows.specs)]
    return rows.values[names].set_index(rows.keys["member_id"]).sort_index()


def test_a_described_product_has_the_features_that_it_would_have_as_a_launch(
    tables: Tables, as_of: AsOf, tmp_path: Path
) -> None:
    with_launch = launched(frames(), as_of)
    row = with_launch["products"].iloc[-1]
    other = store(tmp_path / "launched", with_launch)
    whole = read_rows(build_snapshot(other.at(as_of), tmp_path / "snapshots"), TASK)
    real = whole.take(np.asarray(whole.keys["product_id"] == LAUNCH))
    price = None if pd.isna(row["price"]) else float(row["price"])
    product = Described(
        "d", row["category"], row["subcategory"], row["brand"], price, row["package_size"], row["is_consumable"]
    )
    (tmp_path / "scratch").mkdir()
    found = described_rows(tables.at(as_of), (product,), TASK, tmp_path / "scratch")
    assert len(found) > 20
    pd.testing.assert_frame_equal(told(found), told(real), check_exact=True)
    assert told(found)["affinity_brand_in_subcategory_days"].max() > 0


def test_what_is_unknown_backs_off_and_never_fails(tables: Tables, as_of: AsOf, tmp_path: Path) -> None:
    products = (
        Described("nothing known"),
        Described("of a new kind", category="never seen", subcategory="nor this", brand="nor that", price=3.0),
        Described("half known", category=str(frames()["products"]["category"].iloc[0]), brand="never seen"),
    )
    rows = described_rows(tables.at(as_of), products, TASK, tmp_path)
    by_product = rows.values.groupby(rows.keys["product_id"].to_numpy())
    members = rows.keys.groupby("product_id")["member_id"].nunique()
    assert set(members.index) == {product.product_id for product in products}
    assert members.nunique() == 1
    category = by_product["affinity_category_share"].max()
    assert category["half known"] > 0
    assert category["of a new kind"] == 0
    assert by_product["affinity_brand_in_category_days"].max().isna().tolist() == [False, True, False]
    assert np.isnan(by_product["product_price_level"].max()["nothing known"])


def test_a_name_that_is_taken_is_refused(tables: Tables, as_of: AsOf, tmp_path: Path) -> None:
    known = str(frames()["products"]["product_id"].iloc[0])
    for products in ((Described(known),), (Described("twice"), Described("twice"))):
        with pytest.raises(ConfigError, match="product_id"):
            described_rows(tables.at(as_of), products, TASK, tmp_path)


def test_its_price_moves_what_depends_on_the_price_alone(tables: Tables, as_of: AsOf, tmp_path: Path) -> None:
    category = str(frames()["products"]["category"].iloc[0])
    cheap = Described("cheap", category=category, price=1.0)
    rows = described_rows(tables.at(as_of), (cheap, replace(cheap, product_id="dear", price=100.0)), TASK, tmp_path)
    one, other = (told(rows.take(np.asarray(rows.keys["product_id"] == name))) for name in ("cheap", "dear"))
    moved = {name for name in one if not one[name].equals(other[name])}
    assert moved == {"product_list_price", "product_price_level", "price_level_distance"}
    assert (one["price_level_distance"].dropna() < other["price_level_distance"].dropna()).all()
