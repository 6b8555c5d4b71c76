import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.answers.audience.evaluate import members
from recsys.answers.audience.parse import parse_rule
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import RequestError
from tests.publications import AS_OF, MEMBERS, Made, content, member_id, product_id


def taken(publication: Publication, data: dict[str, Any]) -> set[str]:
    rows = np.flatnonzero(members(publication, parse_rule(data)))
    return {publication.members.text(int(row)) for row in rows}


def numbers(*numbers: int) -> set[str]:
    return {member_id(n) for n in numbers}


EVERYBODY = numbers(*range(MEMBERS - 1))
"""All but the last, who opted out."""


def test_everybody_and_nobody(publication: Publication) -> None:
    assert taken(publication, {"all": []}) == EVERYBODY
    assert taken(publication, {"any": []}) == set()
    assert taken(publication, {"not": {"all": []}}) == set()


def test_a_tag_that_is_unknown_fits_only_when_asked_for(publication: Publication) -> None:
    beijing = numbers(0, 1, 2, 3, 4, 6, 7, 8, 9)
    assert taken(publication, {"tag": "city", "is": ["北京"]}) == beijing
    assert taken(publication, {"tag": "city", "is": ["北京"], "unknown": True}) == beijing | numbers(5)
    assert taken(publication, {"not": {"tag": "city"}}) == numbers(5)


def test_a_number_is_bounded_half_open(publication: Publication) -> None:
    assert taken(publication, {"tag": "tenure_days", "min": 30, "max": 90}) == numbers(3, 4, 5, 6, 7, 8)


def test_a_flag_holds_or_not(publication: Publication) -> None:
    assert taken(publication, {"tag": "high_value"}) == numbers(*range(1, MEMBERS - 1, 2))


def test_purchases_are_counted_in_days_of_a_half_open_window(publication: Publication) -> None:
    """Member n bought on the n - 1 days before as_of; everybody bought p009 five days ago."""
    assert taken(publication, {"bought": {}, "days": 3, "min": 3}) == numbers(*range(4, MEMBERS - 2))
    assert taken(publication, {"bought": {"product": [product_id(9)]}, "days": 4}) == numbers(9, 19, 29)
    assert taken(publication, {"bought": {"product": [product_id(9)]}, "days": 5}) == numbers(*range(MEMBERS - 2))
    assert taken(publication, {"bought": {}, "days": 5, "min": 1_000_000}) == set()


def test_events_are_counted_and_visits_are_days_with_any(publication: Publication) -> None:
    """Every fourth member viewed three products three days ago; those after them searched the day before."""
    viewers = numbers(*range(0, MEMBERS - 2, 4))
    assert taken(publication, {"event": "view", "days": 3, "min": 3}) == viewers
    assert taken(publication, {"event": "view", "days": 2}) == set()
    assert taken(publication, {"event": "visit", "days": 3, "min": 2}) == set()
    assert taken(publication, {"event": "visit", "days": 3}) == viewers | numbers(*range(1, MEMBERS - 2, 4))
    assert taken(publication, {"event": "check_in", "days": 400}) == set()
    assert taken(publication, {"event": "search", "of": {"product": [product_id(0)]}, "days": 9}) == set()


def test_contacts_are_looked_up_by_channel_campaign_and_format(publication: Publication) -> None:
    assert taken(publication, {"contacted": {"channel": ["短信"]}, "days": 14}) == numbers(*range(10))
    assert taken(publication, {"contacted": {}, "days": 6}) == set()
    assert taken(publication, {"contacted": {"campaign": ["秋季"]}, "days": 400}) == numbers(*range(10, 20))
    assert taken(publication, {"contacted": {"format": ["图文"]}, "days": 400}) == numbers(*range(10))
    rested = taken(publication, {"contacted": {}, "days": 14, "max": 0})
    assert rested == EVERYBODY - numbers(*range(10))


def test_the_rule_of_the_handbook(publication: Publication) -> None:
    """In Beijing, a visit in 90 days, a purchase, none of a brand in 7 days."""
    rule = {
        "all": [
            {"tag": "city", "is": ["北京"]},
            {"event": "visit", "days": 90},
            {"bought": {}, "days": 400, "min": 1},
            {"not": {"bought": {"brand": ["brand 0"]}, "days": 7}},
        ]
    }
    assert taken(publication, rule) == numbers(0, 1, 9)


def test_a_top_share_is_never_nobody(publication: Publication) -> None:
    assert taken(publication, {"score": "churn", "top_share": 0.0001}) == numbers(MEMBERS - 3)
    assert len(taken(publication, {"score": "churn", "top_share": 1})) == MEMBERS - 2


class TestALaunchOfWhichOnlyTheLikeliestAreListed:
    """Of p050 the ten highest scores are published, of p051 all."""

    @pytest.fixture
    def whole(self) -> pd.DataFrame:
        made = content().new_product
        return made[made["product_id"] == product_id(50)].sort_values("score", ascending=False)

    @pytest.fixture
    def cut(self, whole: pd.DataFrame, tmp_path: Path) -> Publication:
        made = content()
        known = pd.concat([whole.head(10), made.new_product[made.new_product["product_id"] != product_id(50)]])
        floor = float(whole["score"].iloc[9])
        told = pd.DataFrame({"product_id": [product_id(50)], "scored": [len(whole)], "floor": [floor]})
        made = dataclasses.replace(made, new_product=known, launches=told)
        return Publication.open(write_publication(tmp_path, made))

    def rule(self, bounds: dict[str, float], product: int = 50) -> dict[str, Any]:
        return {"score": "new_product", "product_id": product_id(product), **bounds}

    def test_a_top_share_is_of_all_who_were_scored(self, cut: Publication, whole: pd.DataFrame) -> None:
        for members_taken in (1, 4, 10):
            share = members_taken / len(whole)
            assert taken(cut, self.rule({"top_share": share})) == set(whole["member_id"].head(members_taken))

    def test_a_bound_above_what_is_left_out_is_answered(self, cut: Publication, whole: pd.DataFrame) -> None:
        low = float(whole["score"].iloc[5])
        assert taken(cut, self.rule({"min": low - 1e-6})) == set(whole["member_id"].head(6))

    @pytest.mark.parametrize(("bound", "name"), [({"top_share": 0.5}, "top_share"), ({"min": 0.0001}, "min")])
    def test_what_is_not_known_is_refused(self, cut: Publication, bound: dict[str, float], name: str) -> None:
        with pytest.raises(RequestError, match=rf"{name}.*only of the top"):
            taken(cut, self.rule(bound))
        assert taken(cut, self.rule(bound, 51))


@pytest.mark.parametrize(
    ("data", "field", "kind"),
    [
        ({"all": [{"tag": "shoe size"}]}, "rule.all.0.tag", UnknownError),
        ({"tag": "city", "is": ["北京", "东京"]}, "rule.is.1", UnknownError),
        ({"tag": "city", "min": 3}, "rule.min", RequestError),
        ({"tag": "city", "max": 3}, "rule.max", RequestError),
        ({"tag": "tenure_days", "is": ["3"]}, "rule.is", RequestError),
        ({"tag": "regular", "is": ["yes"]}, "rule.is", RequestError),
        ({"tag": "regular", "min": 1}, "rule.min", RequestError),
        ({"segment": "mood", "is": ["good"]}, "rule.segment", UnknownError),
        ({"segment": "lifecycle", "is": ["new", "old"]}, "rule.is.1", UnknownError),
        ({"bought": {"category": ["category 0", "?"]}, "days": 3}, "rule.bought.category.1", UnknownError),
        ({"bought": {"subcategory": ["?"]}, "days": 3}, "rule.bought.subcategory.0", UnknownError),
        ({"not": {"bought": {"brand": ["?"]}, "days": 3}}, "rule.not.bought.brand.0", UnknownError),
        ({"any": [{"bought": {"product": ["?"]}, "days": 3}]}, "rule.any.0.bought.product.0", UnknownError),
        ({"event": "view", "of": {"category": ["?"]}, "days": 3}, "rule.of.category.0", UnknownError),
        ({"score": "repurchase", "category": ["?"]}, "rule.category.0", UnknownError),
        ({"score": "new_product", "product_id": "?"}, "rule.product_id", UnknownError),
        ({"score": "discovery", "product_id": "?"}, "rule.product_id", UnknownError),
        ({"contacted": {"channel": ["飞鸽"]}, "days": 3}, "rule.contacted.channel.0", UnknownError),
        ({"contacted": {"campaign": ["?"]}, "days": 3}, "rule.contacted.campaign.0", UnknownError),
    ],
)
def test_what_is_not_there_is_told_with_its_node(
    publication: Publication, data: dict[str, Any], field: str, kind: type[RequestError]
) -> None:
    with pytest.raises(RequestError) as caught:
        members(publication, parse_rule(data))
    assert type(caught.value) is kind
    assert caught.value.fields["field"] == field


def empty() -> Made:
    """A shop in which nobody did anything, and a member whose id is no plain word."""
    made = content()
    lists = ("recommend", "discovery", "bought", "repurchase", "churn", "value", "new_product")
    nothing = {name: getattr(made, name).iloc[:0] for name in (*lists, "purchases", "events", "contacts")}
    odd = made.members.iloc[:1].assign(member_id="'; DROP TABLE 会员 --\u200b🍼")
    return dataclasses.replace(made, **nothing, members=pd.concat([made.members, odd]), factors=None)


def test_an_empty_shop_has_empty_audiences(tmp_path: Path) -> None:
    publication = Publication.open(write_publication(tmp_path, empty()))
    for data in (
        {"bought": {}, "days": 400},
        {"event": "view", "days": 400},
        {"contacted": {}, "days": 400},
        {"score": "churn", "top_share": 0.5},
        {"score": "repurchase", "min": 0},
    ):
        assert taken(publication, data) == set()
    silent = taken(publication, {"bought": {}, "days": 400, "max": 0})
    assert silent == EVERYBODY | {"'; DROP TABLE 会员 --\u200b🍼"}


def test_the_day_of_as_of_itself_is_outside(tmp_path: Path) -> None:
    today = content().purchases.head(1).assign(day=AS_OF.number)
    made = dataclasses.replace(content(), purchases=today)
    publication = Publication.open(write_publication(tmp_path, made))
    assert taken(publication, {"bought": {}, "days": 400}) == set()
