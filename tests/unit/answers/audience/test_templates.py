import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.answers.audience.benefits import Benefit
from recsys.answers.audience.offers import offers
from recsys.answers.audience.pick import pick, plan
from recsys.answers.audience.rule import to_data
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.spec import parse_spec
from recsys.answers.audience.templates import TEMPLATES, cards
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue
from recsys.artifacts.tagging.write import Tagged
from recsys.core.errors import RequestError
from tests.publications import AS_OF, MEMBERS, Made, category, content, member_id, product_id

BANDS = ("enthusiast", "sensitive", "neutral", "indifferent")
CHANNELS = ("App", "门店", "other")


def cut_so(name: str, codes: tuple[str, ...]) -> SegmentSpec:
    values = tuple(SegmentValue(code, code, code) for code in codes)
    return SegmentSpec(name, name, name, "", "", values, {}, AS_OF.number)


def marketed() -> Made:
    """The synthetic content with the segments that offers are made by: the band of member n is n % 4, of the last none.

    Member n prefers the App when n is even; else no channel in particular, and most lines are from the store. Every
    fifth responds to text messages.
    """
    made = content()
    ids = [member_id(n) for n in range(MEMBERS)]
    parts = pd.DataFrame(
        {
            "member_id": ids,
            "promotion": [None if n == MEMBERS - 2 else BANDS[n % 4] for n in range(MEMBERS)],
            "preferred_channel": ["App" if n % 2 == 0 else "other" for n in range(MEMBERS)],
            "preferred_format": ["video" if n % 3 == 0 else None for n in range(MEMBERS)],
        }
    )
    specs = (cut_so("promotion", BANDS), cut_so("preferred_channel", CHANNELS), cut_so("preferred_format", ("video",)))
    members = made.members.assign(
        main_channel="门店", favourite_hour=[np.nan if n == 1 else 20.0 for n in range(MEMBERS)]
    )
    tags = pd.DataFrame({"member_id": ids, "liked_channel": ["短信" if n % 5 == 0 else None for n in range(MEMBERS)]})
    return dataclasses.replace(made, members=members, tagged=Tagged(tags, parts, specs))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), marketed()))


def offered(publication: Publication, template: str, **answers: Any) -> pd.DataFrame:
    laid = plan(publication, parse_spec({"template": template, "answers": answers}))
    picked = pick(publication, laid)
    columns = {name: column.to_pylist() for name, column in offers(publication, laid, picked).items()}
    ids = [publication.members.text(int(row)) for row in picked.rows]
    return pd.DataFrame({"member_id": ids, "score": picked.score, **columns}).set_index("member_id")


def test_a_repurchase_reminder_is_for_whoever_is_due_and_was_left_alone(shop: Publication) -> None:
    found = offered(shop, "repurchase_reminder", categories=[category(2)], within=7, chance=0.3)
    made = content().repurchase
    own = made[made["category"] == category(2)].set_index("member_id")["p7"]
    rested = own.drop([member_id(n) for n in range(10)])
    assert set(found.index) == set(rested[rested >= 0.3].index)
    assert found["score"].is_monotonic_decreasing
    np.testing.assert_allclose(found["score"], own[found.index], rtol=1e-5)
    assert set(found["reason"]) == {"due"}
    assert set(found["reason_zh"]) == {f"预计7天内回购{category(2)}"}
    assert set(found["due_day"]) == {AS_OF.day + timedelta(days=10)}
    products = {int(one.removeprefix("p")) for row in found["products"] for one in row}
    assert {n % 6 for n in products} == {2}
    assert 8 not in products  # launches only the day after
    likely = found["score"] >= 0.7
    assert set(found.loc[likely, "benefit"]) == {"reminder"}


def test_a_category_is_chosen_for_each_member_when_none_is_answered(shop: Publication) -> None:
    found = offered(shop, "repurchase_reminder", chance=0.5, rest_days=0)
    made = content().repurchase
    lasting = made[~(made["need_ends_day"] <= AS_OF.number)]
    best = lasting.loc[lasting.groupby("member_id")["p7"].idxmax()].set_index("member_id")
    assert set(found.index) == set(best[best["p7"] >= 0.5].index)
    for member, row in found.iterrows():
        wanted = best["category"][str(member)]
        assert row["reason_en"] == f"likely to buy {wanted} again in 7 days"
        assert all(category(int(one.removeprefix("p"))) == wanted for one in row["products"])
        assert len(row["products"]) == 3


def test_a_launch_is_tried_by_the_likeliest_who_have_not_bought_it(shop: Publication) -> None:
    found = offered(shop, "new_product_trial", product_id=product_id(8), share=0.5, rest_days=0)
    made = content().new_product
    best = made[made["product_id"] == product_id(8)].set_index("member_id")["score"].nlargest(19)
    bought = {member_id(n) for n in (8, 18, 28)}
    assert set(found.index) == set(best.index) - bought
    assert found["products"].map(tuple).unique().tolist() == [(product_id(8),)]
    assert set(found["due_day"]) == {AS_OF.day + timedelta(days=1)}
    # p008 is of brand 0 and category 2; members 0, 4, 8 ... by their number bought these
    assert set(found["reason"]) <= {"brand", "category", "predicted"}
    brand = {member_id(n) for n in range(MEMBERS) if n % 10 in (0, 4, 8) and n > 1}
    assert set(found.index[found["reason"] == "brand"]) == set(found.index) & brand


def test_a_launch_of_the_past_is_due_at_once(shop: Publication) -> None:
    found = offered(shop, "new_product_trial", product_id=product_id(50), share=1)
    assert set(found["due_day"]) == {AS_OF.day}
    assert set(found["benefit"]) == {"coupon", "add_on", "reminder"}


def test_win_back_begins_with_those_closest_to_buying(tmp_path: Path) -> None:
    made = marketed()
    silent = made.purchases[made.purchases["member_id"].isin([member_id(n) for n in range(20, 30)])]
    long_ago = silent.assign(day=silent["day"] - 100).drop_duplicates(["day", "member_id", "product_id"])
    publication = Publication.open(write_publication(tmp_path, dataclasses.replace(made, purchases=long_ago)))
    found = offered(publication, "win_back", rest_days=0)
    assert set(found.index) == {member_id(n) for n in range(20, 30)}
    assert found["score"].is_monotonic_decreasing
    browsed = {member_id(n) for n in (20, 21, 24, 25, 28, 29)}
    assert set(found.index[found["reason"] == "browsed"]) == browsed
    assert set(found.loc[found["score"] >= 0.5, "benefit"]) == {"points"}
    assert set(found["reason"]) <= {"browsed", "due", "silent"}
    assert not len(offered(publication, "win_back", silent_days=200, rest_days=0))


def test_a_promotion_goes_to_those_whom_discounts_move(shop: Publication) -> None:
    found = offered(shop, "price_promotion", rest_days=0, bought_days=400)
    numbers = {int(member.removeprefix("会员")) for member in found.index}
    assert {n % 4 for n in numbers} == {0, 1}
    assert set(found["benefit"]) == {"coupon"}
    assert set(found.loc[found["reason"] == "enthusiast"].index) == {member_id(n) for n in numbers if n % 4 == 0}
    enthusiasts = offered(shop, "price_promotion", who="enthusiast", rest_days=0, bought_days=400)
    assert set(enthusiasts.index) == {member_id(n) for n in numbers if n % 4 == 0}


def test_a_promotion_shows_what_is_on_promotion(shop: Publication) -> None:
    found = offered(shop, "price_promotion", categories=[category(3)], rest_days=0)
    assert len(found)
    assert all(category(int(one.removeprefix("p"))) == category(3) for row in found["products"] for one in row)


def test_cross_sell_finds_who_buys_one_thing_and_never_the_other(shop: Publication) -> None:
    found = offered(shop, "cross_sell", bought=[category(1)], other=[category(5)], rest_days=0)
    # Members buy p(n % 10): of category 1 are p001 and p007, of category 5 p005; p009 is of category 3.
    assert set(found.index) == {member_id(n) for n in range(3, MEMBERS - 2) if n % 10 in (1, 7)}
    assert all(category(int(one.removeprefix("p"))) == category(5) for row in found["products"] for one in row)
    assert set(found["reason_en"]) == {"buys category 1 and never category 5"}
    assert set(found["reason"]) == {"never_there"}


def test_benefits_follow_the_stated_rules(shop: Publication) -> None:
    found = offered(shop, "cross_sell", bought=[category(1)], other=[category(5)], rest_days=0)
    wanted = ("coupon", "add_on", "add_on", "reminder")
    for member, row in found.iterrows():
        assert row["benefit"] == wanted[int(str(member).removeprefix("会员")) % 4]


def test_channel_hour_and_format_are_what_the_member_prefers(shop: Publication) -> None:
    found = offered(shop, "repurchase_reminder", chance=0.0, rest_days=0)
    for member, row in found.iterrows():
        n = int(str(member).removeprefix("会员"))
        assert row["channel"] == ("短信" if n % 5 == 0 else "App" if n % 2 == 0 else "门店")
        assert row["format"] == ("video" if n % 3 == 0 else None)
        assert pd.isna(row["hour"]) if n == 1 else row["hour"] == 20


def test_without_segments_offers_say_what_is_known(publication: Publication) -> None:
    found = offered(publication, "repurchase_reminder", chance=0.0, rest_days=0)
    assert len(found) == MEMBERS - 2
    assert found[["channel", "hour", "format"]].isna().all().all()
    assert set(found["benefit"]) == {"reminder"}


def test_a_promotion_needs_the_segmentation(publication: Publication) -> None:
    with pytest.raises(UnknownError, match="promotion"):
        pick(publication, plan(publication, parse_spec({"template": "price_promotion"})))


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_an_audience_of_nobody_has_empty_columns(shop: Publication, template: Scenario) -> None:
    needed: dict[str, Any] = {
        Scenario.NEW_PRODUCT: {"product_id": product_id(1)},
        Scenario.CROSS_SELL: {"bought": [category(1)], "other": [category(1)]},
    }
    nobody = {"rest_days": 400} | needed.get(template, {})
    spec = parse_spec({"template": template, "answers": nobody, "threshold": 2})
    laid = plan(shop, spec)
    columns = offers(shop, laid, pick(shop, laid))
    assert {len(column) for column in columns.values()} == {0}


@pytest.mark.parametrize(
    ("template", "answers", "field"),
    [
        ("loyalty", {}, "template"),
        ("rule", {}, "template"),
        ("win_back", {"mood": "good"}, "answers.mood"),
        ("new_product_trial", {}, "answers.product_id"),
        ("new_product_trial", {"product_id": "?"}, "answers.product_id"),
        ("new_product_trial", {"product_id": ["p001"]}, "answers.product_id"),
        ("new_product_trial", {"product_id": "p008", "share": 0}, "answers.share"),
        ("new_product_trial", {"product_id": "p008", "share": "half"}, "answers.share"),
        ("cross_sell", {"bought": ["category 1"]}, "answers.other"),
        ("cross_sell", {"bought": [], "other": ["category 1"]}, "answers.bought"),
        ("cross_sell", {"bought": ["category 1", "?"], "other": ["category 1"]}, "answers.bought.1"),
        ("cross_sell", {"bought": 3, "other": ["category 1"]}, "answers.bought"),
        ("repurchase_reminder", {"within": 8}, "answers.within"),
        ("repurchase_reminder", {"chance": 1.5}, "answers.chance"),
        ("repurchase_reminder", {"rest_days": -1}, "answers.rest_days"),
        ("repurchase_reminder", {"rest_days": 1.5}, "answers.rest_days"),
        ("price_promotion", {"who": "everybody"}, "answers.who"),
    ],
)
def test_a_wrong_answer_is_named(shop: Publication, template: str, answers: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        plan(shop, parse_spec({"template": template, "answers": answers}))
    assert caught.value.fields["field"] == field


def test_a_template_amounts_to_a_rule_that_can_be_read_and_changed(shop: Publication) -> None:
    laid = plan(shop, parse_spec({"template": "win_back"}))
    assert to_data(laid.rule) == {
        "all": [
            {"bought": {}, "days": 365, "min": 1},
            {"bought": {}, "days": 60, "min": 0, "max": 0},
            {"contacted": {}, "days": 14, "min": 0, "max": 0},
        ]
    }
    again = plan(shop, parse_spec({"rule": to_data(laid.rule), "by": to_data(laid.by)}))
    assert pick(shop, again).rows.tolist() == pick(shop, laid).rows.tolist()


def test_every_scenario_is_told_with_its_questions_and_rules() -> None:
    told = cards()
    assert [card.template for card in told] == list(TEMPLATES)
    for card in told:
        assert card.zh
        assert card.en
        assert {rule.benefit for rule in card.benefits} <= set(Benefit)
        assert all(question.zh.endswith(("？", "）")) for question in card.questions)
        assert card.questions[-1].name == "rest_days"
