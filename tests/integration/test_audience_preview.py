"""Previews of rules and scenarios, over HTTP, from a running service."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import MEMBERS, category, content, member_id
from tests.serving_process import serve_command, serving

RULE = {"all": [{"tag": "city", "is": ["北京"]}, {"not": {"bought": {"brand": ["brand 0"]}, "days": 7}}]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    with (
        serving(serve_command(), home.root, tmp_path_factory.mktemp("serve")) as running,
        httpx.Client(base_url=running.url, timeout=10) as client,
    ):
        yield client


def asked(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post("/audiences/preview", json=body)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def test_a_rule_is_previewed(client: httpx.Client) -> None:
    told = asked(client, rule=RULE, sample=2)
    assert (told["members"], len(told["sample"])) == (MEMBERS - 1, 2)
    assert told["rule_zh"] == "城市为北京，且不满足（近7天购买品牌“brand 0”的天数至少1）"
    assert told["expected_low"] <= told["expected"] <= told["expected_high"]
    again = asked(client, rule=told["rule"], sample=2)
    assert again == told


def test_a_scenario_is_previewed_with_what_each_member_is_offered(client: httpx.Client) -> None:
    told = asked(client, template="repurchase_reminder", answers={"categories": [category(2)], "rest_days": 0})
    assert told["count"] == len(told["sample"]) or told["count"] > 10
    assert {one["offer"]["reason"] for one in told["sample"]} == {"due"}
    assert all(len(one["offer"]["products"]) == 3 for one in told["sample"])


def test_a_task_is_previewed_as_before(client: httpx.Client) -> None:
    told = asked(client, task="churn", top=3)
    assert [one["member_id"] for one in told["sample"]] == [member_id(n) for n in (37, 36, 35)]
    assert (told["rule"], told["sample"][0]["offer"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "task"),
        ({"rule": {"all": [{"tag": "city"}, {"bought": {}, "days": 0}]}}, 422, "rule.all.1.days"),
        ({"rule": {"all": [{"tag": "mood"}]}}, 404, "rule.all.0.tag"),
        ({"rule": {"tag": "city"}, "task": "churn"}, 422, "rule"),
        ({"rule": {"tag": "city"}, "category": "category 1"}, 422, "category"),
        ({"rule": []}, 422, "rule"),
        ({"template": "loyalty"}, 422, "template"),
        ({"template": "new_product_trial"}, 422, "answers.product_id"),
        ({"template": "cross_sell", "answers": {"bought": ["?"]}}, 404, "answers.bought.0"),
        ({"rule": {"all": []}, "by": {"score": "churn", "min": 1}}, 422, "by.min"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, body: dict[str, Any], status: int, field: str) -> None:
    response = client.post("/audiences/preview", json=body)
    assert (response.status_code, response.json()["error"]["field"]) == (status, field)
