"""Every feature of the catalogue against a slow oracle written from its formula alone."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder, build_snapshot
from recsys.features.catalog import CATALOG, features_of
from recsys.features.life_stage import needs
from tests.oracle.features.item_oracle import CATEGORY_ORACLES, PRODUCT_ORACLES, category_item, product_item
from tests.oracle.features.known import Known, know
from tests.oracle.features.life_stage_oracle import span_of
from tests.oracle.features.member_oracle import ORACLES as MEMBER_ORACLES
from tests.oracle.features.member_oracle import Member
from tests.oracle.features.pair_oracle import (
    MEMBER_CATEGORY_ORACLES,
    MEMBER_PRODUCT_ORACLES,
    Offers,
    member_category,
    member_product,
    table,
)
from tests.shop import make_shop

ORACLES: dict[View, dict[str, Callable[[Any], Any]]] = {
    View.MEMBER: MEMBER_ORACLES,
    View.CATEGORY: CATEGORY_ORACLES,
    View.PRODUCT: PRODUCT_ORACLES,
    View.MEMBER_CATEGORY: MEMBER_CATEGORY_ORACLES,
    View.MEMBER_PRODUCT: MEMBER_PRODUCT_ORACLES,
}
EVERY_NTH_PAIR = 11
# Factors are float32; what a quantity usually costs is rounded to a ten-thousandth of money for each category.
TOLERANCE = {"als_score": 1e-6, "price_level": 1e-6, "price_level_distance": 1e-6}


class Case:
    def __init__(self, tables: Tables, as_of: AsOf, root: Path) -> None:
        self.known: Known = know(tables, as_of)
        self.folder: SnapshotFolder = build_snapshot(tables.at(as_of), root)
        self.offers = Offers(self.known, self.folder)
        self.named = lru_cache(self.offers.named)
        object.__setattr__(self.offers, "named", self.named)

    def check(self, view: View, make: Callable[..., Any], nth: int = 1) -> None:
        built = self.folder.read(view).iloc[::nth].reset_index(drop=True)
        subjects = [make(*keys) for keys in built[list(view.keys)].itertuples(index=False)]
        wanted = table(ORACLES[view], subjects)
        for spec in features_of(view):
            if spec.kind == "category":
                assert built[spec.name].tolist() == wanted[spec.name].tolist(), spec.name
            else:
                found, expected = built[spec.name].to_numpy(), wanted[spec.name].astype(float).to_numpy()
                near = TOLERANCE.get(spec.name, 1e-9)
                np.testing.assert_allclose(found, expected, rtol=near, atol=near, err_msg=spec.name)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=45, days=240, seed=3)


@pytest.fixture(scope="module", params=[-60, 0])
def case(request: pytest.FixtureRequest, tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tables, tables.end.plus(days=request.param), tmp_path_factory.mktemp("snapshots"))


def test_each_feature_has_an_oracle() -> None:
    for view in View:
        assert set(ORACLES[view]) == {spec.name for spec in features_of(view)}


def test_names_are_unique_and_told() -> None:
    names = [spec.name for spec in CATALOG]
    assert len(names) == len(set(names)) >= 60
    for spec in CATALOG:
        assert spec.kind in {"number", "category"}
        assert all((spec.unit, spec.null_meaning, spec.formula, spec.source, spec.sql))


def test_member_features(case: Case) -> None:
    assert set(case.folder.read(View.MEMBER)["member_id"]) == case.known.personal
    case.check(View.MEMBER, lambda member: Member(case.known, member))


def test_category_features(case: Case) -> None:
    bought = {line.category for line in case.known.lines}
    listed = {row["category"] or "unknown" for row in case.known.products.values()}
    assert set(case.folder.read(View.CATEGORY)["category"]) == bought | listed
    case.check(View.CATEGORY, lambda category: category_item(case.known, category))


def test_product_features(case: Case) -> None:
    assert set(case.folder.read(View.PRODUCT)["product_id"]) == set(case.known.all_products)
    case.check(View.PRODUCT, lambda product: product_item(case.known, product))


def test_member_category_features(case: Case) -> None:
    built = case.folder.read(View.MEMBER_CATEGORY)
    pairs = {(line.member, line.category) for line in case.known.lines if line.member in case.known.personal}
    assert set(zip(built["member_id"], built["category"], strict=True)) == pairs
    case.check(View.MEMBER_CATEGORY, lambda member, category: member_category(case.known, member, category))


def test_needs_are_those_of_every_child_and_stage(case: Case, tables: Tables) -> None:
    known = case.known
    wanted = {}
    for member in known.members:
        for category in {row["category"] for row in known.stages}:
            span = span_of(known, member, category)
            if span is not None:
                wanted[member, category] = (span.end, span.following)
    found = {
        (row.member_id, row.category): (row.ends_day, row.next_category)
        for row in needs(tables.at(known.as_of)).itertuples()
    }
    assert found == wanted
    ends = {end for end, _ in wanted.values()}
    assert min(ends) <= known.today < max(ends)


def test_member_product_features(case: Case) -> None:
    built: pd.DataFrame = case.folder.read(View.MEMBER_PRODUCT)
    pairs = {(member, product) for member in case.offers.active for product in case.named(member)}
    assert set(zip(built["member_id"], built["product_id"], strict=True)) == pairs
    case.check(
        View.MEMBER_PRODUCT, lambda member, product: member_product(case.offers, member, product), EVERY_NTH_PAIR
    )
