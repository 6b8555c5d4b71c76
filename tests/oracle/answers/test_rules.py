"""Random rules over random small shops, against the slow oracle."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.answers.audience.evaluate import members
from recsys.answers.audience.parse import parse_rule
from recsys.answers.audience.rule import to_data
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import FACT_DAYS
from recsys.artifacts.publication_write import write_publication
from tests.oracle.answers.rule_oracle import RuleOracle
from tests.publications import AS_OF, MEMBERS, PRODUCTS, Made, category, content, member_id, product_id

Data = dict[str, Any]
DAYS = (1, 2, 7, 14, 90, FACT_DAYS)
CHANNELS, CAMPAIGNS, FORMATS = ("短信", "企业微信"), ("春季", "秋季", 'it\'s "so"; --'), ("图文", "短视频")
TYPES = ("view", "search", "cart")


def random_shop(seed: int) -> Made:
    """The synthetic content with facts by chance, many of them on the edges of windows."""
    rng = np.random.default_rng(seed)

    def facts(n: int) -> pd.DataFrame:
        edges = np.array([days + step for days in DAYS for step in (-1, 0, 1)])
        ago = np.where(rng.random(n) < 0.5, rng.choice(edges, n), rng.integers(1, FACT_DAYS + 3, n))
        names = [member_id(int(at)) if at < MEMBERS else "?" for at in rng.integers(0, MEMBERS + 1, n)]
        products = [product_id(int(at)) if at < PRODUCTS else "?" for at in rng.integers(0, PRODUCTS + 2, n)]
        return pd.DataFrame({"day": AS_OF.number - ago, "member_id": names, "product_id": products, "hour": 9})

    made, contacts, events = content(seed=seed), facts(400), facts(900)
    products = made.products.assign(
        subcategory=np.array([None, "kind 甲", "kind 乙"], dtype=object)[np.arange(PRODUCTS) % 3]
    )
    assert made.tagged is not None
    tags = made.tagged.tags.assign(tenure_days=np.where(rng.random(MEMBERS) < 0.2, np.nan, np.arange(MEMBERS) * 10.0))
    events["type"] = rng.choice(TYPES, len(events))
    events.loc[events["type"] == "search", "product_id"] = None
    return dataclasses.replace(
        made,
        tagged=dataclasses.replace(made.tagged, tags=tags),
        products=products.assign(brand=made.products["brand"].mask(made.products["product_id"] == product_id(9), None)),
        purchases=facts(1500).assign(quantity=1.0, amount=2.0).drop_duplicates(["day", "member_id", "product_id"]),
        events=events,
        contacts=contacts.drop(columns=["product_id", "hour"]).assign(
            campaign_id=rng.choice(CAMPAIGNS, len(contacts)),
            channel=rng.choice(CHANNELS, len(contacts)),
            content_format=rng.choice([*FORMATS, ""], len(contacts)),
        ),
    )


@pytest.fixture(scope="module", params=[1, 2])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Publication, RuleOracle]:
    made = random_shop(request.param)
    root: Path = tmp_path_factory.mktemp("publications")
    publication = Publication.open(write_publication(root, made))
    order = [publication.members.text(row) for row in range(len(publication.members))]
    return publication, RuleOracle(made, order)


def some(names: tuple[str, ...] | list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


def optional(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries({}, optional=dict(keys))


def joined(*parts: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def bounds(low: float, high: float) -> st.SearchStrategy[Data]:
    number = st.floats(low, high)
    both = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map(lambda p: {"min": p[0], "max": p[1]})
    return st.one_of(st.just({}), number.map(lambda n: {"min": n}), number.map(lambda n: {"max": n}), both)


counts: st.SearchStrategy[Data] = st.one_of(
    st.just({}),
    st.integers(0, 4).map(lambda n: {"min": n}),
    st.integers(0, 4).map(lambda n: {"max": n}),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: {"min": pair[0], "max": sum(pair)}),
)
window = joined(st.sampled_from(DAYS).map(lambda days: {"days": days}), counts)
categories = [category(n) for n in range(6)]
goods = optional(
    category=some(categories),
    subcategory=some(["kind 甲", "kind 乙"]),
    brand=some([f"brand {n}" for n in range(4)]),
    product=some([product_id(n) for n in range(PRODUCTS)]),
)
unknown = optional(unknown=st.booleans())
share = st.sampled_from([0.001, 0.05, 0.3, 0.5, 1.0]).map(lambda s: {"top_share": s})


def score(name: str, low: float, high: float, **takes: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    return joined(st.just({"score": name}), optional(**takes), st.one_of(bounds(low, high), share))


def of_product(name: str, low: float, high: float) -> st.SearchStrategy[Data]:
    product = st.sampled_from([8, 20, 50, 51]).map(lambda n: {"product_id": product_id(n)})
    return joined(st.just({"score": name}), product, st.one_of(bounds(low, high), share))


leaves = st.one_of(
    joined(st.just({"tag": "city"}), optional(**{"is": some(["北京", "上海"])}), unknown),
    joined(st.just({"tag": "tenure_days"}), bounds(0, 400), unknown),
    joined(st.just({"tag": "high_value"})),
    joined(st.just({"segment": "lifecycle"}), some(["new", "loyal", "lost"]).map(lambda v: {"is": v}), unknown),
    joined(goods.map(lambda g: {"bought": g}), window),
    joined(st.sampled_from([*TYPES, "visit", "share"]).map(lambda e: {"event": e}), optional(of=goods), window),
    joined(
        optional(channel=some(CHANNELS), campaign=some(CAMPAIGNS), format=some(FORMATS)).map(
            lambda c: {"contacted": c}
        ),
        window,
    ),
    score("churn", 0, 1),
    score("active", 0, 1),
    score("value", 0, 400),
    score("repurchase", 0, 1, category=some(categories), within=st.sampled_from([7, 14, 28])),
    score("discovery", 0, 1, category=some(categories)),
    of_product("new_product", 0, 1),
    of_product("recommend", -2, 2),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


def taken(publication: Publication, data: Data) -> set[str]:
    mask = members(publication, parse_rule(data))
    assert mask.shape == (len(publication.members),)
    assert mask.dtype == np.bool_
    return {publication.members.text(int(row)) for row in np.flatnonzero(mask)}


@given(data=rules)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rule_takes_whom_the_oracle_takes(shop: tuple[Publication, RuleOracle], data: Data) -> None:
    publication, oracle = shop
    assert taken(publication, data) == oracle.takes(data)


@given(data=rules)
def test_a_rule_is_read_back_as_it_was_written(data: Data) -> None:
    rule = parse_rule(data)
    assert parse_rule(to_data(rule)) == rule
    assert to_data(parse_rule(to_data(rule))) == to_data(rule)


def test_each_kind_of_leaf_tells_members_apart(shop: tuple[Publication, RuleOracle]) -> None:
    """The oracle agrees on rules that take some members and leave others; else the property would say little."""
    publication, oracle = shop
    for data in (
        {"tag": "city", "is": ["北京"]},
        {"tag": "tenure_days", "min": 30, "max": 90},
        {"segment": "lifecycle", "is": ["loyal"], "unknown": True},
        {"bought": {"category": [category(1)]}, "days": 90, "min": 2},
        {"bought": {"subcategory": ["kind 甲"], "brand": ["brand 2"]}, "days": 90},
        {"event": "visit", "days": 90, "min": 8},
        {"event": "view", "days": 90, "min": 2, "of": {"brand": ["brand 1"]}},
        {"contacted": {"channel": ["短信"]}, "days": 90, "max": 1},
        {"score": "repurchase", "category": [category(0)], "within": 7, "min": 0.3},
        {"score": "new_product", "product_id": product_id(50), "top_share": 0.1},
    ):
        found = taken(publication, data)
        assert found == oracle.takes(data)
        assert 0 < len(found) < len(oracle.order)
