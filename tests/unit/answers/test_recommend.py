import dataclasses
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.answers.ask import Ask, Filters
from recsys.answers.desk import Desk
from recsys.answers.identity import parse
from recsys.answers.policy import Placements, read_placements
from recsys.answers.recommend import recommend
from recsys.answers.shapes import Recommendation, Route, Source, Standing
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import BOUGHT_DAYS, Reason
from recsys.artifacts.publication_files import id_key
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ConfigError, RequestError
from tests.publications import AS_OF, MEMBERS, PRODUCTS, category, content, member_id, product_id

PLACEMENTS = Placements.checked(
    {
        "placements": {
            "plain": {"title": "", "sources": [{"name": "personal"}]},
            "capped": {"title": "", "sources": [{"name": "personal"}], "max_per_category": 1},
            "launches": {"title": "", "sources": [{"name": "personal"}, {"name": "new", "share": 0.3}]},
            "cart": {
                "title": "",
                "sources": [{"name": "together", "weight": 3}, {"name": "similar"}],
                "fallback": ["popular_in_category", "popular"],
            },
        }
    }
)
NOW = AS_OF.instant.timestamp() + 3600
GONE = {product_id(6), product_id(7), product_id(8)}
OUT, WITHOUT_LISTS = member_id(MEMBERS - 1), member_id(MEMBERS - 2)


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


def ask(publication: Publication, placement: str = "plain", **changes: object) -> Recommendation:
    wanted = dataclasses.replace(Ask(placement), **changes)  # type: ignore[arg-type]
    return recommend(desk_of(publication), wanted, now=NOW)


@cache
def desk_of(publication: Publication) -> Desk:
    return Desk.of(publication, PLACEMENTS)


def ids(answer: Recommendation) -> list[str]:
    return [item.product_id for item in answer.items]


def test_a_known_member_gets_the_published_list_in_its_order(publication: Publication) -> None:
    answer = ask(publication, member_id=member_id(2), k=10)
    listed = content().recommend.query("member_id == @member_id(2)", local_dict={"member_id": member_id})
    best = listed.sort_values("score", ascending=False)["product_id"]
    assert ids(answer) == [p for p in best if p not in GONE and p != product_id(9)][:10]
    assert (answer.standing, answer.route, answer.fallbacks) == (Standing.KNOWN, Route.WARM, ())
    told = parse(answer.recommendation_id)
    assert (told.placement, told.variant, told.publication) == ("plain", "control", publication.name)
    assert told.model_version == "1"
    assert answer.model_version == "1"
    assert {item.source for item in answer.items} == {Source.PERSONAL}


def test_each_item_says_why_in_two_languages(publication: Publication) -> None:
    for item in ask(publication, member_id=member_id(2), k=40).items:
        if item.reason.code is Reason.DUE:
            assert item.reason.params["mean_gap"] == 14
            assert f"last {item.reason.params['days_since']} day" in item.reason.en
            assert f"上次在{item.reason.params['days_since']}天前" in item.reason.zh
        assert item.reason.en
        assert item.reason.zh
        assert "None" not in item.reason.en + item.reason.zh


@pytest.mark.parametrize(
    ("member", "standing"), [("nobody", Standing.UNKNOWN), (None, Standing.ANONYMOUS), (OUT, Standing.OPTED_OUT)]
)
def test_whoever_has_no_history_gets_popular_products_and_is_told(
    publication: Publication, member: str | None, standing: Standing
) -> None:
    answer = ask(publication, member_id=member, k=8)
    assert ids(answer) == [product_id(n) for n in (0, 1, 2, 3, 4, 5, 9, 10)]
    assert (answer.standing, answer.route) == (standing, Route.COLD)
    assert [fallback.step for fallback in answer.fallbacks] == ["popular"]
    assert answer.items[0].reason.params["buyers"] == PRODUCTS


def test_a_known_member_without_lists_takes_the_cold_route(publication: Publication) -> None:
    answer = ask(publication, member_id=WITHOUT_LISTS, k=3)
    assert (answer.standing, answer.route, len(answer.items)) == (Standing.KNOWN, Route.COLD, 3)


def test_without_personalisation_the_answer_does_not_depend_on_the_member(publication: Publication) -> None:
    anonymous = ask(publication, "cart", products=(product_id(1),), k=30).items
    for n in range(MEMBERS):
        answer = ask(publication, "cart", member_id=member_id(n), products=(product_id(1),), k=30, personalised=False)
        assert answer.items == anonymous
        assert answer.standing is Standing.NOT_PERSONALISED


def test_a_refusal_goes_before_a_history_that_is_there(publication: Publication) -> None:
    key = np.array([id_key(member_id(0))], dtype=np.uint64)
    refusing = dataclasses.replace(publication, opted_out=key)
    assert ask(publication, member_id=member_id(0), k=20).route is Route.WARM
    answer = ask(refusing, member_id=member_id(0), k=20)
    assert (answer.standing, answer.route) == (Standing.OPTED_OUT, Route.COLD)
    assert answer.items == ask(refusing, k=20).items


def test_what_cannot_be_sold_or_does_not_run_out_and_was_just_bought_is_left_out(publication: Publication) -> None:
    everything = ids(ask(publication, member_id=member_id(1), k=200))
    assert set(everything) == {product_id(n) for n in range(PRODUCTS)} - GONE - {product_id(9)}
    assert product_id(9) in ids(ask(publication, k=200))


def test_a_durable_product_bought_lately_is_left_out_whatever_is_in_the_published_list(tmp_path: Path) -> None:
    made = content()
    bought = pd.concat(
        [made.bought, pd.DataFrame({"member_id": [member_id(1)], "product_id": product_id(0), "days_since": 89.0})]
    )
    folder = write_publication(tmp_path, dataclasses.replace(made, bought=bought), keep=1)
    opened = Publication.open(folder)
    assert product_id(0) not in made.recommend["product_id"].to_numpy()
    assert product_id(0) not in ids(ask(opened, member_id=member_id(1), k=200))
    assert product_id(0) in ids(ask(opened, member_id=member_id(2), k=200))


def test_what_was_just_bought_comes_back_rather_than_nothing_and_is_told(publication: Publication) -> None:
    others = tuple(product_id(n) for n in range(PRODUCTS) if n != 9)
    answer = ask(publication, member_id=member_id(1), k=3, exclude=others, filters=Filters(brands=("brand 0",)))
    assert ids(answer) == [product_id(9)]
    assert [fallback.step for fallback in answer.fallbacks] == ["recently_bought"]


def test_a_placement_cannot_look_back_further_than_is_published() -> None:
    plain = PLACEMENTS.of("plain").model_dump()
    with pytest.raises(ConfigError, match="recent_days"):
        Placements.checked({"placements": {"plain": plain | {"recent_days": BOUGHT_DAYS + 1}}})


def test_a_product_without_a_category_is_never_told_by_it_nor_by_no_buyers(tmp_path: Path) -> None:
    made = content()
    products = made.products.assign(category=None, buyers_28=0)
    recommend = made.recommend.assign(reason="in_category")
    repurchase = made.repurchase.iloc[:0]
    changed = dataclasses.replace(made, products=products, recommend=recommend, repurchase=repurchase)
    opened = Publication.open(write_publication(tmp_path, changed))
    answers = [
        ask(opened, "launches", member_id=member_id(1), k=60),
        ask(opened, "cart", products=(product_id(PRODUCTS - 1),), k=60),
    ]
    for item in (item for answer in answers for item in answer.items):
        assert "unknown" not in item.reason.zh + item.reason.en
        assert "0 members" not in item.reason.en
    assert {item.reason.code for item in answers[0].items} == {Reason.ASSORTMENT, Reason.NEW}


def test_a_durable_product_comes_back_after_its_days(publication: Publication) -> None:
    short = Placements(placements={"plain": PLACEMENTS.of("plain").model_copy(update={"recent_days": 5})})
    answer = recommend(Desk.of(publication, short), Ask("plain", member_id=member_id(1), k=200), now=NOW)
    assert product_id(9) in ids(answer)


def test_a_category_limit_holds_until_places_stay_empty(publication: Publication) -> None:
    answer = ask(publication, "capped", member_id=member_id(1), k=6)
    assert max(Counter(item.category for item in answer.items).values()) == 1
    assert not answer.fallbacks
    answer = ask(publication, "capped", member_id=member_id(1), k=9)
    assert len(answer.items) == 9
    assert len({item.category for item in answer.items[:6]}) == 6
    assert [fallback.step for fallback in answer.fallbacks] == ["max_per_category"]


def test_a_share_of_places_is_kept_for_launches(publication: Publication) -> None:
    answer = ask(publication, "launches", member_id=member_id(1), k=10)
    assert [item.source for item in answer.items] == [Source.PERSONAL] * 7 + [Source.NEW] * 3
    assert {item.product_id for item in answer.items[7:]} == {product_id(n) for n in (50, 51, 52)}
    assert "category" in answer.items[-1].reason.en


def test_products_around_the_place_pull_in_their_neighbours(publication: Publication) -> None:
    answer = ask(publication, "cart", products=(product_id(1), product_id(20)), k=6)
    assert answer.route is Route.CONTEXT
    assert set(ids(answer)[:2]) == {product_id(n) for n in (2, 21)}
    assert set(ids(answer)[2:4]) == {product_id(n) for n in (3, 22)}
    assert answer.items[0].reason.params["with_product_id"] in (product_id(1), product_id(20))
    assert {product_id(1), product_id(20)}.isdisjoint(ids(answer))


def test_a_product_without_neighbours_falls_back_to_its_category(publication: Publication) -> None:
    answer = ask(publication, "cart", products=(product_id(PRODUCTS - 1),), k=3)
    assert {item.category for item in answer.items} == {category(PRODUCTS - 1)}
    assert [fallback.step for fallback in answer.fallbacks] == ["popular_in_category"]


def test_filters_of_the_request_hold(publication: Publication) -> None:
    filters = Filters(categories=(category(2), "no such"), price_min=10.5, price_max=40, brands=("brand 0",))
    answer = ask(publication, member_id=member_id(1), k=200, filters=filters)
    assert set(ids(answer)) == {product_id(n) for n in (20, 32)}
    assert not answer.fallbacks


def test_filters_that_nothing_fits_are_lifted_and_told(publication: Publication) -> None:
    answer = ask(publication, member_id=member_id(1), k=2, filters=Filters(price_min=1e6))
    assert len(answer.items) == 2
    assert [fallback.step for fallback in answer.fallbacks] == ["filters"]


def test_unknown_categories_and_brands_are_told_and_fit_nothing(publication: Publication) -> None:
    filters = Filters(categories=(category(2), "?"), brands=("brand 0", "!"))
    answer = ask(publication, k=200, filters=filters)
    assert (answer.ignored_categories, answer.ignored_brands) == (("?",), ("!",))
    assert {(item.category, item.brand) for item in answer.items} == {(category(2), "brand 0")}
    nothing = ask(publication, k=5, filters=Filters(brands=("!",)))
    assert (len(nothing.items), nothing.ignored_brands) == (5, ("!",))
    assert [fallback.step for fallback in nothing.fallbacks] == ["filters"]


def test_prices_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(RequestError) as caught:
        Filters(price_min=2, price_max=1)
    assert caught.value.fields["field"] == "filters.price_max"
    Filters(price_min=2, price_max=2)


def test_unknown_products_of_the_request_are_told(publication: Publication) -> None:
    answer = ask(publication, "cart", products=("?",), exclude=("!", product_id(0)), k=3)
    assert answer.ignored_products == ("?", "!")
    assert product_id(0) not in ids(answer)


def test_an_unknown_placement_is_refused_with_the_names_there_are(publication: Publication) -> None:
    with pytest.raises(RequestError) as caught:
        ask(publication, "nowhere")
    assert caught.value.fields["field"] == "placement"
    assert "cart" in str(caught.value.fields["rule"])


@given(
    member=st.sampled_from([None, "nobody", OUT, *(member_id(n) for n in range(5))]),
    placement=st.sampled_from(["plain", "capped", "launches", "cart"]),
    k=st.integers(1, 200),
    products=st.lists(st.integers(0, PRODUCTS + 3).map(product_id), max_size=5).map(tuple),
    exclude=st.lists(st.integers(0, PRODUCTS - 1).map(product_id), max_size=PRODUCTS - 1).map(tuple),
    price_min=st.none() | st.floats(0, 70),
    wanted=st.lists(st.integers(0, 8).map(lambda n: f"category {n}"), max_size=3).map(tuple),
)
def test_promises_of_every_answer(
    publication: Publication,
    member: str | None,
    placement: str,
    k: int,
    products: tuple[str, ...],
    exclude: tuple[str, ...],
    price_min: float | None,
    wanted: tuple[str, ...],
) -> None:
    filters = Filters(categories=wanted, price_min=price_min)
    wish = Ask(placement, member, k=k, products=products, exclude=exclude, filters=filters)
    answer = recommend(desk_of(publication), wish, now=NOW)
    got = ids(answer)
    left = {product_id(n) for n in range(PRODUCTS)} - GONE - {*products, *exclude}
    assert len(got) == len(set(got)) <= k
    assert got or not left
    assert not set(got) & (GONE | {*products, *exclude})
    steps = {fallback.step for fallback in answer.fallbacks}
    if "filters" not in steps:
        assert all(price_min is None or (item.price or 0) >= price_min for item in answer.items)
        assert not wanted or {item.category for item in answer.items} <= set(wanted)
    if "recently_bought" not in steps and answer.standing is Standing.KNOWN:
        assert product_id(9) not in got
    if placement == "capped" and not steps & {"filters", "max_per_category"}:
        assert max(Counter(item.category for item in answer.items).values(), default=0) <= 1
    assert all(np.isfinite(item.score) for item in answer.items)


def test_the_shipped_placements_answer_everywhere(publication: Publication) -> None:
    shipped = read_placements(Path(__file__).parents[3] / "serving" / "placements.toml")
    assert {"home", "search_box", "check_in", "order_received", "product_page", "cart"} <= set(shipped.placements)
    desk = Desk.of(publication, shipped)
    assert not desk.unknown
    for name in shipped.placements:
        for member in (member_id(0), None):
            assert len(recommend(desk, Ask(name, member, products=(product_id(2),)), now=NOW).items) == 10
