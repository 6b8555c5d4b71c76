"""What an explanation says is what `recommend` did, and each product is kept out by a rule that holds for it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recsys.answers.ask import Ask, Filters
from recsys.answers.desk import Desk
from recsys.answers.explain import Explanation, Keeper, explain
from recsys.answers.policy import Placements
from recsys.answers.recommend import recommend
from recsys.answers.shapes import Source
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.store.live import NOTHING, Doings, Touch
from tests.publications import AS_OF, content, member_id, product_id

NOW = AS_OF.instant.timestamp() + 60
WHO = member_id(12)
HOME: dict[str, Any] = {"title": "Home", "sources": [{"name": "personal"}, {"name": "discovery", "share": 0.2}]}


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


def desk_of(publication: Publication, **settings: Any) -> Desk:
    return Desk.of(publication, Placements.checked({"placements": {"home": {**HOME, **settings}}}))


def explained(desk: Desk, ask: Ask, doings: Doings = NOTHING) -> Explanation:
    return explain(desk, ask, doings=lambda: doings, now=NOW)


def kept(told: Explanation, rule: Keeper) -> set[str]:
    return {one.product.product_id for group in told.kept_out if group.rule is rule for one in group.products}


def test_the_answer_is_the_one_that_a_visit_would_get(publication: Publication) -> None:
    desk, ask = desk_of(publication, max_per_category=2), Ask("home", member_id=WHO, k=10)
    told = explained(desk, ask)
    assert told.answer.items == recommend(desk, ask, now=NOW).items
    shown = Counter(item.source for item in told.answer.items)
    assert {one.source: one.shown for one in told.sources if one.shown} == shown
    assert [one.source for one in told.sources] == [Source.PERSONAL, Source.DISCOVERY, Source.POPULAR]
    assert [one.fallback for one in told.sources] == [False, False, True]


def test_nothing_that_is_shown_was_kept_out(publication: Publication) -> None:
    for settings in ({}, {"max_per_category": 1}, {"price_band": 0.0}, {"mmr": 0.5}):
        told = explained(desk_of(publication, **settings), Ask("home", member_id=WHO, k=20))
        named = {one.product.product_id for group in told.kept_out for one in group.products}
        assert not named & {item.product_id for item in told.answer.items}


@pytest.mark.parametrize(
    ("rule", "products", "settings", "ask", "doings"),
    [
        (Keeper.OUT_OF_STOCK, {6}, {}, Ask("home", member_id=WHO), NOTHING),
        (Keeper.OFF_SALE, {7, 8}, {}, Ask("home", member_id=WHO), NOTHING),
        (Keeper.RECENTLY_BOUGHT, {9}, {}, Ask("home", member_id=WHO), NOTHING),
        (Keeper.EXCLUDED, {12, 13}, {}, Ask("home", member_id=WHO, exclude=(product_id(12), product_id(13))), NOTHING),
        (Keeper.AROUND, {14}, {}, Ask("home", member_id=WHO, products=(product_id(14),)), NOTHING),
        (Keeper.CART, {15}, {}, Ask("home", member_id=WHO), Doings(cart=(Touch(product_id(15), NOW - 9),))),
        (
            Keeper.SHOWN_ENOUGH,
            {16},
            {"caps": {"product_per_day": 2}},
            Ask("home", member_id=WHO),
            Doings(shown={product_id(16): 2, product_id(17): 1}, shown_total=3),
        ),
    ],
)
def test_each_rule_is_told_of_what_it_keeps_out(
    publication: Publication, rule: Keeper, products: set[int], settings: dict[str, Any], ask: Ask, doings: Doings
) -> None:
    told = explained(desk_of(publication, **settings), ask, doings)
    assert kept(told, rule) == {product_id(n) for n in products}


def test_lists_filters_prices_and_full_categories_keep_out_what_they_speak_of(publication: Publication) -> None:
    desk = desk_of(publication, brands={"deny": ["brand 1"]}, price_band=0.0, max_per_category=1)
    told = explained(desk, Ask("home", member_id=WHO, k=10, filters=Filters(("category 2", "category 3"))))
    groups = {group.rule: group for group in told.kept_out}
    assert all(one.product.brand == "brand 1" for one in groups[Keeper.LISTS].products)
    assert all(one.product.category not in ("category 2", "category 3") for one in groups[Keeper.FILTERS].products)
    shown = Counter(item.category for item in told.answer.items)
    for one in groups.get(Keeper.MAX_PER_CATEGORY, groups[Keeper.LISTS]).products:
        assert one.product.brand == "brand 1" or shown[one.product.category] >= 1
    assert Keeper.PRICE_BAND in groups


def test_a_lifted_rule_and_a_used_up_day_are_told(publication: Publication) -> None:
    desk = desk_of(publication, max_per_category=1, caps={"member_per_day": 5})
    told = explained(desk, Ask("home", member_id=WHO, k=30), Doings(shown_total=5))
    assert "max_per_category" in told.lifted
    assert told.capped
    assert not explained(desk, Ask("home", member_id=WHO, k=3)).capped


def test_counts_go_beyond_the_products_that_are_named(publication: Publication, tmp_path: Path) -> None:
    _ = tmp_path
    desk = desk_of(publication, brands={"allow": ["brand 0"]})
    told = explained(desk, Ask("home", member_id=WHO, k=5))
    group = next(group for group in told.kept_out if group.rule is Keeper.LISTS)
    assert group.count > len(group.products)
