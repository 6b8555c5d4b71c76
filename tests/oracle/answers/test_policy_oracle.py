import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.answers.ask import Ask, Filters
from recsys.answers.desk import Desk
from recsys.answers.policy import Placements
from recsys.answers.recommend import recommend, recommend_json
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Challenger
from recsys.artifacts.publication_write import write_publication
from recsys.store.live import Doings, Touch
from tests.oracle.answers.policy_oracle import Oracle, Shop
from tests.publications import AS_OF, MEMBERS, PRODUCTS, category, content, member_id, product_id

DAY = AS_OF.day
NOW = AS_OF.instant.timestamp() + 40_000
QUESTIONS = {
    "goal": {"attribute": "survey", "answers": {"sleep": [category(2), category(0)], "bones": [category(5)]}},
    "taste": {"answers": {"sweet": [category(3), "category of another shop"]}},
}
SOURCES = ("live", "personal", "discovery", "new", "together", "similar", "declared", "popular_in_category", "popular")

products = st.integers(0, PRODUCTS + 1).map(product_id)
categories = st.integers(0, 7).map(lambda n: f"category {n}")
brands = st.integers(0, 4).map(lambda n: f"brand {n}")
days = st.none() | st.integers(-1, 1).map(lambda n: DAY + timedelta(days=n))
tags = st.sampled_from(["regular", "high_value", "lapsed"])
audiences = st.fixed_dictionaries({}, optional={"any": st.lists(tags, max_size=2), "all": st.lists(tags, max_size=2)})
dated = {"first_day": days, "last_day": days, "audience": audiences}


def lists(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={"allow": st.lists(names, min_size=2, max_size=4), "deny": st.lists(names, max_size=2)}
    )


rules: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from(SOURCES)},
    optional={"weight": st.sampled_from([0, 0.5, 1, 1, 3]), "share": st.sampled_from([0.1, 0.2])},
)
pins = st.fixed_dictionaries({"product": products, "place": st.integers(1, 6), **dated})
boosts = st.fixed_dictionaries(
    {"factor": st.sampled_from([0.5, 1.2, 3]), **dated},
    optional={
        "products": st.lists(products, max_size=3),
        "categories": st.lists(categories, max_size=3),
        "brands": st.lists(brands, max_size=3),
    },
)
policies: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"title": st.just(""), "sources": st.lists(rules, min_size=1, max_size=5, unique_by=lambda rule: rule["name"])},
    optional={
        "fallback": st.just(["popular_in_category", "popular"]),
        "model": st.sampled_from(["champion", "challenger"]),
        "depth": st.sampled_from([3, 20, 200]),
        "categories": lists(categories),
        "brands": lists(brands),
        "max_per_category": st.integers(1, 4),
        "mmr": st.sampled_from([0.3, 0.7, 0.9, 1.0]),
        "price_band": st.sampled_from([0, 0.2, 1]),
        "recent_days": st.sampled_from([0, 5, 6, 90]),
        "due_share": st.sampled_from([0, 0.5, 0.8]),
        "rest_days": st.sampled_from([0, 14]),
        "caps": st.fixed_dictionaries(
            {}, optional={"product_per_day": st.integers(1, 3), "member_per_day": st.integers(1, 20)}
        ),
        "live": st.fixed_dictionaries(
            {},
            optional={
                "touches": st.integers(1, 3),
                "neighbours": st.integers(1, 3),
                "viewed": st.sampled_from([0.6, 1]),
            },
        ),
        "pins": st.lists(pins, max_size=3, unique_by=lambda pin: (pin["product"], pin["place"])),
        "boosts": st.lists(boosts, max_size=3),
    },
)


@st.composite
def doings(draw: st.DrawFn) -> Doings:
    def touches() -> tuple[Touch, ...]:
        found = draw(st.dictionaries(products, st.integers(0, 20 * 24), max_size=5))
        return tuple(sorted((Touch(p, NOW - 3600.0 * ago) for p, ago in found.items()), key=lambda touch: -touch.at))

    shown = draw(st.dictionaries(products, st.integers(1, 4), max_size=8))
    return Doings(touches(), touches(), touches(), touches(), (), shown, sum(shown.values()))


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    def ids(most: int = 4) -> tuple[str, ...]:
        return tuple(draw(st.lists(products, max_size=most)))

    low, high = sorted((draw(st.floats(0, 70)), draw(st.floats(0, 70))))
    return Ask(
        "place",
        draw(st.sampled_from([None, "nobody", *(member_id(n) for n in (0, 3, 4, 7, 12, MEMBERS - 2, MEMBERS - 1))])),
        anonymous_id=draw(st.sampled_from([None, "a"])),
        k=draw(st.sampled_from([1, 3, 8, 12, 70])),
        products=ids(),
        recent=ids(),
        exclude=ids(draw(st.sampled_from([2, 40]))),
        filters=draw(
            st.just(Filters())
            | st.builds(
                Filters,
                st.lists(categories, max_size=3).map(tuple),
                st.lists(brands, max_size=3).map(tuple),
                st.sampled_from([None, low]),
                st.sampled_from([None, high]),
            )
        ),
        answers=draw(
            st.dictionaries(
                st.sampled_from(["goal", "taste", "unheard"]),
                st.lists(st.sampled_from(["sleep", "bones", "sweet", "?"]), max_size=2).map(tuple),
            )
        ),
        preferences=tuple(draw(st.lists(categories, max_size=2))),
        personalised=draw(st.sampled_from([True, True, True, False])),
    )


class World:
    """A shop and its publication; subcategories, levels and prices are not all known."""

    def __init__(self, root: Path) -> None:
        made, other = content(), content(seed=1)
        subcategory = [None if i % 11 == 0 else f"subcategory {i % 12}" for i in range(PRODUCTS)]
        products = made.products.assign(subcategory=pd.Series(subcategory, dtype=object))
        tried = Challenger("2", other.recommend, other.discovery)
        shop = dataclasses.replace(made, products=products, challenger=tried)
        self.shop = Shop(shop)
        self.publication = Publication.open(write_publication(root, shop))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("publications"))


@settings(max_examples=150, deadline=None)
@given(
    policy=policies, ask=asks(), done=doings(), stock=st.dictionaries(products, st.sampled_from([0.0, 5.0]), max_size=5)
)
def test_the_answer_is_that_of_the_oracle(
    world: World, policy: dict[str, Any], ask: Ask, done: Doings, stock: dict[str, float]
) -> None:
    policy = _completed(policy)
    placements = Placements.checked({"placements": {"place": policy}, "questions": QUESTIONS})
    desk = Desk.of(world.publication, placements, stock)
    answer = recommend(desk, ask, doings=lambda: done, now=NOW)
    chosen, steps = Oracle(
        world.shop, stock, placements, placements.of("place").policies["control"], ask, done, NOW
    ).answer()
    assert [(item.product_id, str(item.source)) for item in answer.items] == chosen
    assert [fallback.step for fallback in answer.fallbacks] == steps
    assert answer.model_version == ("2" if policy.get("model") == "challenger" else "1")
    known, quick = orjson.loads(orjson.dumps(answer)), recommend_json(desk, ask, doings=lambda: done, now=NOW)
    told = json.loads(quick.body)
    assert list(told) == list(known)
    assert told | {"recommendation_id": ""} == known | {"recommendation_id": ""}
    assert (quick.route, quick.standing, quick.variant, quick.items) == (
        answer.route,
        answer.standing,
        answer.variant,
        len(answer.items),
    )
    assert quick.fallbacks == answer.fallbacks


def _completed(policy: dict[str, Any]) -> dict[str, Any]:
    """Take out what a placement refuses: a name both allowed and denied, days out of order, a boost of nothing."""
    for side in ("categories", "brands"):
        names = policy.get(side, {})
        names["deny"] = [name for name in names.get("deny", []) if name not in names.get("allow", [])]
        policy[side] = names
    for dates in (*policy.get("pins", []), *policy.get("boosts", [])):
        if dates["first_day"] and dates["last_day"]:
            dates["first_day"], dates["last_day"] = sorted((dates["first_day"], dates["last_day"]))
    policy["boosts"] = [
        boost
        for boost in policy.get("boosts", [])
        if any(boost.get(name) for name in ("products", "categories", "brands"))
    ]
    return policy
