"""Every feature of the catalogue against a slow oracle written from its formula alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder, build_snapshot
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.catalog import CATALOG, features_of
from recsys.features.collaborative import CollaborativeConfig
from recsys.features.level import LEVELS, PRODUCT, Level
from recsys.features.life_stage import needs
from recsys.features.next_basket import TifuConfig, UpcfConfig
from tests.oracle.features.item_oracle import (
    CATEGORY_ORACLES,
    PRODUCT_ORACLES,
    SUBCATEGORY_ORACLES,
    category_item,
    product_item,
    subcategory_item,
)
from tests.oracle.features.known import Known, know
from tests.oracle.features.launch_oracle import LAUNCH_ORACLES
from tests.oracle.features.life_stage_oracle import span_of
from tests.oracle.features.member_oracle import ORACLES as MEMBER_ORACLES
from tests.oracle.features.member_oracle import Member
from tests.oracle.features.offers import Offers
from tests.oracle.features.pair_oracle import (
    APART,
    MEMBER_CATEGORY_ORACLES,
    MEMBER_PRODUCT_ORACLES,
    MEMBER_SUBCATEGORY_ORACLES,
    RANKS,
    member_category,
    member_item,
    table,
)
from tests.shop import make_shop

ORACLES: dict[View, dict[str, Callable[[Any], Any]]] = {
    View.MEMBER: MEMBER_ORACLES,
    View.CATEGORY: CATEGORY_ORACLES,
    View.SUBCATEGORY: SUBCATEGORY_ORACLES,
    View.PRODUCT: PRODUCT_ORACLES,
    View.MEMBER_CATEGORY: MEMBER_CATEGORY_ORACLES,
    View.MEMBER_SUBCATEGORY: MEMBER_SUBCATEGORY_ORACLES,
    View.MEMBER_PRODUCT: {**MEMBER_PRODUCT_ORACLES, **LAUNCH_ORACLES},
}
TOLD_APART = {f"{level.own}_{name}" for level in LEVELS for name in APART} | {"is_candidate"}
EVERY_NTH_PAIR = 11
# Scores of candidate sources are single precision, weights of purchases are whole numbers, and what a quantity
# usually costs is rounded to a ten-thousandth of money for each category.
ROUGH = (
    *(f"{level.own}_{name}_score" for level in LEVELS for name in ("tifu", "upcf", "neighbour", "bm25", "als")),
    *(f"{level.own}_tifu_near" for level in LEVELS),
    *(
        f"{level.own}_{name}"
        for level in LEVELS
        for name in (
            "kept_60",
            "kept_80",
            "kept_90",
            "kept_95",
            "basket_part",
            "basket_size",
            "part_kept_80",
            "part_kept_90",
            "part_kept_95",
        )
    ),
    *(f"{level.own}_half_life_{days}d" for level in LEVELS for days in (7, 14, 28, 56, 112)),
    *(f"{level.own}_kept_share_of_{kin}" for level in LEVELS for kin in level.kin),
    *(f"{level.affinity}_{kin}_kept_90" for level in LEVELS for kin in level.kin),
    "price_level",
    "price_level_distance",
)
TOLERANCE = dict.fromkeys(ROUGH, 1e-5)
FEW = LevelConfig(
    history=5,
    frequency=3,
    each=3,
    near=2,
    als=4,
    popular=2,
    kin=3,
    tifu=TifuConfig(neighbours=7, group=3),
    upcf=UpcfConfig(visits=4),
    collaborative=CollaborativeConfig(neighbours=100, bm25_neighbours=100, factors=8, threads=1),
)
CONFIG = CandidateConfig(product=FEW, subcategory=FEW, pool=30)


class Case:
    def __init__(self, tables: Tables, as_of: AsOf, root: Path) -> None:
        self.known: Known = know(tables, as_of)
        self.folder: SnapshotFolder = build_snapshot(tables.at(as_of), root, candidates=CONFIG)
        self.offers = {level: Offers(self.known, level, CONFIG) for level in LEVELS}

    def check(self, view: View, make: Callable[..., Any], nth: int = 1) -> None:
        built = self.folder.read(view).iloc[::nth].reset_index(drop=True)
        subjects = [make(*keys) for keys in built[list(view.keys)].itertuples(index=False)]
        wanted = table(ORACLES[view], subjects)
        for spec in features_of(view):
            if spec.name not in wanted:
                assert spec.name in TOLD_APART
            elif spec.kind == "category":
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
        told = {spec.name for spec in features_of(view)}
        assert set(ORACLES[view]) == told - TOLD_APART
    assert {spec.name for spec in CATALOG} >= TOLD_APART


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


def test_subcategory_features(case: Case) -> None:
    bought = {line.subcategory for line in case.known.lines}
    listed = {case.known.subcategory_of(product) for product in case.known.products}
    assert set(case.folder.read(View.SUBCATEGORY)["subcategory"]) == bought | listed
    case.check(View.SUBCATEGORY, lambda name: subcategory_item(case.known, name))


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


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_pair_features(case: Case, level: Level) -> None:
    offers = case.offers[level]
    case.check(level.pairs, lambda member, item: member_item(offers, member, item), EVERY_NTH_PAIR)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_what_sources_name_is_offered_and_nothing_else(case: Case, level: Level) -> None:
    offers, rows = case.offers[level], case.folder.read(level.pairs)
    assert sorted(set(rows["member_id"])) == offers.active
    for member, mine in rows.groupby("member_id"):
        choices = offers.choices(str(member))
        sure = set().union(*(choice.sure for named in choices.values() for choice in named))
        possible = set().union(*(choice.possible for named in choices.values() for choice in named))
        assert sure <= set(mine[level.key]) <= possible
        for item, source in zip(mine[level.key], mine[f"{level.own}_source"], strict=True):
            before = list(choices)[: list(choices).index(source)]
            assert any(item in choice.possible for choice in choices[source])
            assert not any(item in choice.sure for name in before for choice in choices[name])


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize(("rank", "score"), sorted(RANKS.items()))
def test_ranks_are_among_the_pairs_of_the_member(case: Case, level: Level, rank: str, score: str) -> None:
    rows = case.folder.read(level.pairs)
    values = rows[f"{level.own}_{score}"].fillna(0)
    wanted = values.groupby(rows["member_id"]).rank(method="min", ascending=False)
    assert rows[f"{level.own}_{rank}_rank"].tolist() == wanted.tolist()
    assert wanted.max() > 5


def test_a_pair_is_a_candidate_unless_it_is_a_launch_alone(case: Case) -> None:
    rows = case.folder.read(View.MEMBER_PRODUCT)
    assert (rows["is_candidate"] == (rows["own_product_source"] != "launch")).all()
    assert rows["is_candidate"].nunique() == 2


def test_the_factors_are_those_of_products(case: Case) -> None:
    members, products = case.offers[PRODUCT].factors
    factors = case.folder.factors()
    assert factors.member_ids.tolist() == list(members)
    assert factors.product_ids.tolist() == list(products)
    np.testing.assert_allclose(factors.product_factors, list(products.values()), rtol=1e-4, atol=1e-5)


def test_neighbours_are_similar_products(case: Case) -> None:
    frame = case.folder.neighbours()
    found = frame[frame["kind"] == "similar"].set_index(["product_id", "neighbour_id"])["score"].to_dict()
    wanted = {(a, b): value for a, others in case.offers[PRODUCT].similar.items() for b, value in others.items()}
    assert found == pytest.approx(wanted)
