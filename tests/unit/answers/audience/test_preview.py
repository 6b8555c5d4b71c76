from typing import Any

import numpy as np
import pytest

from recsys.answers.audience.pick import Fitting, cut, highest, pick, plan
from recsys.answers.audience.preview import mask_of, preview_audience
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.shapes import AudiencePreview, Overlap
from recsys.answers.audience.spec import parse_spec
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from tests.publications import MEMBERS, category, content, member_id, product_id

ALL = MEMBERS - 1


def told(publication: Publication, **data: Any) -> AudiencePreview:
    return preview_audience(publication, parse_spec(data))


def test_a_rule_is_counted_and_told_in_words(publication: Publication) -> None:
    answer = told(publication, rule={"all": [{"tag": "city", "is": ["北京"]}, {"score": "churn", "min": 0.1}]})
    scores = content().churn["score"][:10].drop(5)
    assert (answer.count, answer.members) == (int((scores >= 0.1).sum()), ALL)
    assert answer.share == pytest.approx(answer.count / ALL)
    assert answer.expected == pytest.approx(scores[scores >= 0.1].sum())
    assert answer.rule == {"all": [{"tag": "city", "is": ["北京"]}, {"score": "churn", "min": 0.1}]}
    assert answer.rule_zh == "城市为北京，且流失概率不低于0.1"
    assert answer.rule_en == "city is 北京 and probability of leaving at least 0.1"
    assert (answer.task, answer.within_days, answer.model_version) == ("churn", 28, "1")


def test_a_rule_without_a_score_expects_purchases(publication: Publication) -> None:
    answer = told(publication, rule={"all": []})
    assert (answer.count, answer.scored, answer.share) == (ALL, ALL - 1, 1.0)
    assert (answer.task, answer.within_days, answer.model_version) == ("active", 28, "1")
    assert answer.expected == pytest.approx((1 - content().churn["score"]).sum())
    assert answer.sample[0].member_id == member_id(0)


def test_the_order_can_be_chosen(publication: Publication) -> None:
    answer = told(publication, rule={"score": "churn", "min": 0.5}, by={"score": "value"}, top=3)
    assert [one.member_id for one in answer.sample] == [member_id(n) for n in (37, 36, 35)]
    assert (answer.count, answer.expected, answer.expected_low) == (3, 370.0 + 360 + 350, None)


def test_members_without_a_score_come_last_and_fall_below_any_threshold(publication: Publication) -> None:
    silent = member_id(MEMBERS - 2)
    every = told(publication, rule={"all": []})
    assert every.count == ALL
    laid = plan(publication, parse_spec({"rule": {"all": []}}))
    assert publication.members.text(int(pick(publication, laid).rows[-1])) == silent
    assert told(publication, rule={"all": []}, threshold=-1.0).count == ALL - 1
    alone = told(publication, rule={"not": {"score": "churn"}})
    assert (alone.count, alone.scored, alone.expected, alone.lowest) == (1, 0, 0.0, None)
    assert [(one.member_id, one.score) for one in alone.sample] == [(silent, None)]


def test_the_histogram_is_of_all_who_fit_whatever_the_threshold(publication: Publication) -> None:
    low = told(publication, rule={"tag": "high_value"}, by={"score": "churn"}, threshold=0.1)
    high = told(publication, rule={"tag": "high_value"}, by={"score": "churn"}, threshold=0.9)
    assert low.histogram == high.histogram
    assert sum(one.count for one in high.histogram) == high.scored == 19
    assert high.count < low.count


def test_the_interval_holds_what_happens_as_often_as_it_says(publication: Publication) -> None:
    answer = told(publication, rule={"score": "churn", "min": 0.2})
    scores = content().churn["score"]
    chances = scores[scores >= 0.2].to_numpy()
    rng = np.random.default_rng(0)
    happened = (rng.random((4000, len(chances))) < chances).sum(axis=1)
    low, high = answer.expected_low, answer.expected_high
    assert low is not None
    assert high is not None
    assert 0.94 <= ((happened >= low) & (happened <= high)).mean() <= 0.985


def test_the_interval_stays_within_nobody_and_everybody(publication: Publication) -> None:
    answer = told(publication, rule={"score": "churn"}, top=1)
    assert (answer.expected, answer.expected_high) == (1.0, 1.0)
    nobody = told(publication, rule={"any": []})
    assert (nobody.count, nobody.share, nobody.expected) == (0, 0.0, 0.0)
    assert (nobody.expected_low, nobody.expected_high, nobody.histogram, nobody.sample) == (0.0, 0.0, (), ())


def test_a_template_tells_what_each_member_is_offered(publication: Publication) -> None:
    answer = told(publication, template="repurchase_reminder", answers={"categories": [category(2)], "rest_days": 0})
    assert answer.rule == {"all": [{"score": "repurchase", "category": [category(2)], "within": 7, "min": 0.5}]}
    first = answer.sample[0]
    assert first.offer is not None
    assert first.offer.reason_zh == f"预计7天内回购{category(2)}"
    assert len(first.offer.products) == 3
    assert first.offer.due_day == "2025-04-10"


def test_overlaps_are_counted_with_the_largest_first(publication: Publication) -> None:
    keys = np.asarray(publication.members.keys)
    rows = [publication.members.row(member_id(n)) or 0 for n in range(MEMBERS - 1)]
    first = mask_of(publication, np.sort(keys[[rows[1], rows[2]]]))
    second = mask_of(publication, np.sort(keys[[rows[n] for n in range(5, 12)]]))
    answer = preview_audience(
        publication,
        parse_spec({"rule": {"tag": "city", "is": ["北京"]}}),
        others={"春": first, "秋": second, "夏": np.zeros(ALL, dtype=np.bool_)},
    )
    assert answer.overlaps == (Overlap("秋", 4, 4 / 9), Overlap("春", 2, 2 / 9))


def test_keys_that_are_gone_are_in_no_mask(publication: Publication) -> None:
    keys = np.asarray(publication.members.keys)
    strange = np.sort(np.array([0, keys[3] + 1, keys[3], 2**64 - 1], dtype=np.uint64))
    assert np.flatnonzero(mask_of(publication, strange)).tolist() == [3]
    assert not mask_of(publication, np.empty(0, dtype=np.uint64)).any()


@pytest.mark.parametrize("top", [1, 5, 37, 38, 39, 1000])
def test_what_is_counted_is_what_is_picked(publication: Publication, top: int) -> None:
    """Value has many equal scores at none; the edge of a top is settled the same way in both."""
    laid = plan(publication, parse_spec({"rule": {"all": []}, "by": {"score": "active"}, "top": top}))
    picked = pick(publication, laid)
    assert set(picked.rows.tolist()) == set(np.flatnonzero(cut(Fitting.of(publication, laid), laid)).tolist())
    assert len(set(picked.rows.tolist())) == len(picked.rows) == min(top, ALL)


def test_equal_scores_come_in_the_order_of_rows() -> None:
    values = np.array([0.5, np.nan, 0.9, 0.5, 0.9, 0.5])
    rows = np.arange(6)
    assert highest(rows, values, 3).tolist() == [2, 4, 0]
    assert highest(rows, values, 6).tolist() == [2, 4, 0, 3, 5, 1]
    assert highest(rows[:0], values, 3).tolist() == []


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"rule": {"tag": "?"}}, "rule.tag"),
        ({"rule": {"all": []}, "by": {"score": "new_product", "product_id": "?"}}, "by.product_id"),
        ({"rule": {"all": []}, "by": {"score": "repurchase", "category": ["category 1", "?"]}}, "by.category.1"),
        ({"template": "repurchase_reminder", "answers": {"categories": ["?"]}}, "answers.categories.0"),
    ],
)
def test_what_is_not_there_is_named(publication: Publication, data: dict[str, Any], field: str) -> None:
    with pytest.raises(UnknownError) as caught:
        told(publication, **data)
    assert caught.value.fields["field"] == field


def test_the_first_score_asked_for_orders(publication: Publication) -> None:
    tried = {"score": "new_product", "product_id": product_id(50), "min": 0.5}
    rule = {"all": [{"not": {"score": "value", "min": 3}}, {"any": [tried]}]}
    laid = plan(publication, parse_spec({"rule": rule}))
    assert (laid.by.task, laid.by.product_id, laid.by.low, laid.scenario) == (
        "new_product",
        product_id(50),
        None,
        Scenario.RULE,
    )
