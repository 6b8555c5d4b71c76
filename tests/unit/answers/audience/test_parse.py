from typing import Any

import pytest

from recsys.answers.audience.parse import MAX_DEPTH, MAX_NODES, parse_rule
from recsys.answers.audience.rule import (
    AllOf,
    AnyOf,
    Bought,
    Contacted,
    Did,
    Goods,
    NotOf,
    Score,
    Segmented,
    Tagged,
    to_data,
)
from recsys.answers.audience.spec import Spec, parse_spec
from recsys.core.errors import RequestError

BEIJING = {
    "all": [
        {"tag": "city", "is": ["北京"]},
        {"event": "visit", "days": 90, "min": 3},
        {"bought": {}, "days": 90, "min": 1},
        {"not": {"bought": {"brand": ["X"]}, "days": 7}},
    ]
}


def test_a_rule_becomes_a_tree() -> None:
    assert parse_rule(BEIJING) == AllOf(
        (
            Tagged("city", ("北京",)),
            Did("visit", Goods(), 90, 3),
            Bought(Goods(), 90),
            NotOf(Bought(Goods(brands=("X",)), 7)),
        )
    )


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"tag": "tenure_days", "min": 30, "max": 90}, Tagged("tenure_days", (), 30, 90)),
        ({"tag": "regular"}, Tagged("regular")),
        ({"tag": "city", "is": "北京", "unknown": True}, Tagged("city", ("北京",), unknown=True)),
        ({"segment": "lifecycle", "is": ["loyal", "loyal"]}, Segmented("lifecycle", ("loyal",))),
        ({"segment": "lifecycle", "unknown": True}, Segmented("lifecycle", (), unknown=True)),
        ({"bought": {"category": ["奶粉"]}, "days": 90, "max": 0}, Bought(Goods(("奶粉",)), 90, 0, 0)),
        (
            {"bought": {"subcategory": ["a"], "product": ["p"]}, "days": 1, "min": 0, "max": 3},
            Bought(Goods((), ("a",), (), ("p",)), 1, 0, 3),
        ),
        ({"event": "cart", "of": {"brand": ["b"]}, "days": 3}, Did("cart", Goods(brands=("b",)), 3)),
        ({"score": "churn", "min": 0.5}, Score("churn", low=0.5)),
        ({"score": "repurchase", "category": "奶粉", "min": 0.5}, Score("repurchase", ("奶粉",), within=14, low=0.5)),
        (
            {"score": "new_product", "product_id": "p", "top_share": 0.05},
            Score("new_product", product_id="p", top_share=0.05),
        ),
        (
            {"contacted": {"channel": ["短信"], "campaign": ["春"], "format": ["图文"]}, "days": 14, "max": 0},
            Contacted(("短信",), ("春",), ("图文",), 14, 0, 0),
        ),
        ({"any": []}, AnyOf(())),
        ({"tag": "points_balance", "min": 0}, Tagged("points_balance", low=0)),
    ],
)
def test_each_leaf_is_read_and_written(data: dict[str, Any], rule: object) -> None:
    read = parse_rule(data)
    assert read == rule
    assert parse_rule(to_data(read)) == read


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "rule"),
        ([], "rule"),
        ("city", "rule"),
        ({}, "rule"),
        ({1: 2}, "rule"),
        ({"city": "北京"}, "rule"),
        ({"all": [], "any": []}, "rule"),
        ({"all": {}}, "rule.all"),
        ({"all": [], "days": 3}, "rule.days"),
        ({"all": [{"tag": "a"}, {"bought": {}, "days": 0}]}, "rule.all.1.days"),
        ({"all": [{"any": [{"not": {"bought": {}}}]}]}, "rule.all.0.any.0.not.days"),
        ({"not": []}, "rule.not"),
        ({"tag": ""}, "rule.tag"),
        ({"tag": 3}, "rule.tag"),
        ({"tag": "x" * 257}, "rule.tag"),
        ({"tag": "\ud800"}, "rule.tag"),
        ({"tag": "a", "is": []}, "rule.is"),
        ({"tag": "a", "is": 3}, "rule.is"),
        ({"tag": "a", "is": ["b", 3]}, "rule.is.1"),
        ({"tag": "a", "is": ["b"] * 1001}, "rule.is"),
        ({"tag": "a", "is": ["b"], "min": 3}, "rule.is"),
        ({"tag": "a", "min": "3"}, "rule.min"),
        ({"tag": "a", "min": True}, "rule.min"),
        ({"tag": "a", "min": float("nan")}, "rule.min"),
        ({"tag": "a", "max": float("inf")}, "rule.max"),
        ({"tag": "a", "max": 10**400}, "rule.max"),
        ({"tag": "a", "min": 3, "max": 3}, "rule.max"),
        ({"tag": "a", "unknown": "yes"}, "rule.unknown"),
        ({"tag": "a", "days": 3}, "rule.days"),
        ({"segment": "a"}, "rule.is"),
        ({"segment": "a", "is": [], "unknown": True}, "rule.is"),
        ({"bought": [], "days": 3}, "rule.bought"),
        ({"bought": {"colour": ["red"]}, "days": 3}, "rule.bought.colour"),
        ({"bought": {"brand": ["a", ""]}, "days": 3}, "rule.bought.brand.1"),
        ({"bought": {}, "days": 3.5}, "rule.days"),
        ({"bought": {}, "days": 401}, "rule.days"),
        ({"bought": {}, "days": True}, "rule.days"),
        ({"bought": {}, "days": 3, "min": -1}, "rule.min"),
        ({"bought": {}, "days": 3, "min": 2, "max": 1}, "rule.max"),
        ({"event": "walk", "days": 3}, "rule.event"),
        ({"event": "view"}, "rule.days"),
        ({"event": "view", "days": 3, "of": {"tag": "a"}}, "rule.of.tag"),
        ({"score": "luck"}, "rule.score"),
        ({"score": "churn", "category": "a"}, "rule.category"),
        ({"score": "repurchase", "within": 8}, "rule.within"),
        ({"score": "new_product"}, "rule.product_id"),
        ({"score": "recommend", "product_id": 3}, "rule.product_id"),
        ({"score": "churn", "top_share": 0}, "rule.top_share"),
        ({"score": "churn", "top_share": 1.1}, "rule.top_share"),
        ({"score": "churn", "top_share": 0.1, "min": 0.2}, "rule.top_share"),
        ({"score": "churn", "min": 0.3, "max": 0.2}, "rule.max"),
        ({"contacted": {"arm": ["a"]}, "days": 3}, "rule.contacted.arm"),
        ({"contacted": {}, "days": 3, "is": []}, "rule.is"),
    ],
)
def test_what_is_wrong_is_told_with_its_node(data: object, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_rule(data)
    assert caught.value.fields["field"] == field
    assert caught.value.fields["rule"]


def nested(depth: int) -> dict[str, Any]:
    return {"tag": "a"} if depth == 1 else {"not": nested(depth - 1)}


def test_a_rule_is_neither_too_deep_nor_too_long() -> None:
    parse_rule(nested(MAX_DEPTH))
    with pytest.raises(RequestError, match="too deep"):
        parse_rule(nested(MAX_DEPTH + 1))
    parse_rule({"all": [{"tag": "a"}] * (MAX_NODES - 1)})
    with pytest.raises(RequestError, match="too many") as caught:
        parse_rule({"all": [{"tag": "a"}] * MAX_NODES})
    assert caught.value.fields["field"] == f"rule.all.{MAX_NODES - 1}"


@pytest.mark.parametrize(
    "data",
    [
        {"rule": BEIJING},
        {"rule": {"all": []}, "by": {"score": "value"}, "threshold": 0.0, "top": 5},
        {"template": "repurchase_reminder", "answers": {"categories": ["奶粉"], "within": 7, "chance": 0.5}},
        {"template": "win_back", "answers": {}, "top": 1000},
    ],
)
def test_a_spec_is_read_back_as_it_was_written(data: dict[str, Any]) -> None:
    spec = parse_spec(data)
    assert parse_spec(spec.to_data()) == spec


def test_answers_left_empty_are_not_given() -> None:
    spec = parse_spec({"template": "win_back", "answers": {"silent_days": None, "rest_days": 0}})
    assert spec == Spec(template="win_back", answers={"rest_days": 0})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (3, "body"),
        ({}, "rule"),
        ({"rule": {"all": []}, "template": "win_back"}, "rule"),
        ({"rule": {"all": [{"tag": ""}]}}, "rule.all.0.tag"),
        ({"rule": {"all": []}, "answers": {}}, "answers"),
        ({"rule": {"all": []}, "by": {"tag": "a"}}, "by.score"),
        ({"rule": {"all": []}, "by": {"score": "churn", "min": 0.3}}, "by.min"),
        ({"rule": {"all": []}, "by": {"score": "churn", "top_share": 0.3}}, "by.top_share"),
        ({"rule": {"all": []}, "threshold": "high"}, "threshold"),
        ({"rule": {"all": []}, "top": 0}, "top"),
        ({"rule": {"all": []}, "limit": 3}, "limit"),
        ({"template": 3}, "template"),
        ({"template": "win_back", "by": {"score": "churn"}}, "by"),
        ({"template": "win_back", "answers": []}, "answers"),
        ({"template": "win_back", "answers": {"categories": [3]}}, "answers.categories.0"),
        ({"template": "win_back", "answers": {"share": True}}, "answers.share"),
    ],
)
def test_what_is_wrong_with_a_spec_is_named(data: object, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_spec(data)
    assert caught.value.fields["field"] == field
