"""Every peer of the recommend tasks against a slow one that ranks the whole catalogue.

What a peer would put on a member's list, and on a list of never-bought items, must be among the rows that it is given:
otherwise it would be beaten by what it was not shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.core.frames import Rows
from recsys.data.tables import Tables
from recsys.evaluation.peers import PEERS
from recsys.features.build import build_snapshot, read_rows
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.collaborative import CollaborativeConfig
from recsys.features.level import LEVELS, Level
from recsys.features.next_basket import TifuConfig, UpcfConfig
from recsys.models.catalog import CATALOG
from tests.oracle.features.known import know
from tests.oracle.features.offers import CLOSE, Offers, first
from tests.shop import make_shop

TASKS = {"product": "recommend", "subcategory": "recommend_subcategory"}
LENGTH = 4
FEW = LevelConfig(
    history=0,
    frequency=LENGTH,
    each=LENGTH,
    near=LENGTH,
    als=LENGTH,
    popular=LENGTH,
    kin=0,
    tifu=TifuConfig(neighbours=6, group=2, within=0.9, between=0.7, alpha=0.6),
    upcf=UpcfConfig(visits=5, asymmetry=0.4, locality=3),
    collaborative=CollaborativeConfig(neighbours=100, bm25_neighbours=100, factors=8, threads=1),
)
CONFIG = CandidateConfig(product=FEW, subcategory=FEW, pool=25)


def _personal(offers: Offers, member: str) -> dict[str, Any]:
    return {item: (len(days), days[-1]) for item, days in offers.days(member).items()}


def _then_popular(offers: Offers, member: str) -> dict[str, Any]:
    days = offers.days(member)
    return {item: (len(days.get(item, ())), offers.often[item]) for item in offers.catalogue}


def _tastes(offers: Offers, member: str) -> dict[str, Any]:
    known = {item: offers.taste(member, item) for item in offers.year}
    return {item: taste for item, taste in known.items() if taste is not None}


SLOW: dict[str, Callable[[Offers, str], dict[str, Any]]] = {
    "g_topfreq": lambda offers, member: {item: float(times) for item, times in offers.often.items()},
    "p_topfreq": _personal,
    "gp_topfreq": _then_popular,
    "upcf": lambda offers, member: offers.upcf(member),
    "tifu_knn": lambda offers, member: offers.tifu(member)[0],
    "als": _tastes,
    "bm25": lambda offers, member: offers.alike(member),
    "item_item": lambda offers, member: offers.near(member),
}


@dataclass(frozen=True)
class Case:
    level: Level
    rows: Rows
    offers: Offers


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=40, days=200, seed=11)


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level.name)
def case(request: pytest.FixtureRequest, tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Case:
    level: Level = request.param
    root: Path = tmp_path_factory.mktemp("snapshots")
    folder = build_snapshot(tables.at(tables.end), root, candidates=CONFIG)
    rows = read_rows(folder, CATALOG[TASKS[level.name]].task)
    return Case(level, rows, Offers(know(tables, tables.end), level, CONFIG))


def clearly_above(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return bool(one - other > CLOSE * max(abs(one), abs(other), CLOSE))
    return bool(one > other)


def test_every_peer_has_a_slow_one(case: Case) -> None:
    assert {rule.name for rule in PEERS[TASKS[case.level.name]]} == set(SLOW)


@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_peer_sees_its_own_list_of_the_whole_catalogue_and_ranks_it_so(case: Case, name: str) -> None:
    rule = next(rule for rule in PEERS[TASKS[case.level.name]] if rule.name == name)
    score, discovery = rule.apply(case.rows, {})
    np.testing.assert_array_equal(score, discovery)
    compared = 0
    for member, places in case.rows.keys.groupby("member_id").indices.items():
        keys = {i: key for i, key in SLOW[name](case.offers, str(member)).items() if i in case.offers.catalogue}
        shown = dict(zip(case.rows.keys[case.level.key].to_numpy()[places], score[places], strict=True))
        bought = case.offers.days(str(member))
        for wanted in (keys, {item: key for item, key in keys.items() if item not in bought}):
            useful = {item: key for item, key in wanted.items() if name == "als" or clearly_above(key, type(key)())}
            assert first(useful, LENGTH).sure <= shown.keys()
        ranked = sorted(shown.keys() & keys.keys(), key=lambda item: keys[item])
        for low, high in pairwise(ranked):
            if clearly_above(keys[high], keys[low]):
                assert shown[high] > shown[low]
                compared += 1
    assert compared > 100
