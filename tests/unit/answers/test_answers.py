import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from recsys.answers.audience.preview import AudienceAsk, preview
from recsys.answers.desk import Desk
from recsys.answers.errors import UnknownError
from recsys.answers.members import CardSettings, member_card
from recsys.answers.neighbours import bought_together, similar
from recsys.answers.policy import Placements
from recsys.answers.rank import rank
from recsys.answers.shapes import FeatureRow, MemberTag, Rule, Standing, Value
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Tag
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import RequestError
from tests.publications import AS_OF, MEMBERS, PRODUCTS, category, content, member_id, product_id

PLACEMENTS = Placements.checked({"placements": {"home": {"title": "", "sources": [{"name": "popular"}]}}})
OUT, WITHOUT_LISTS = member_id(MEMBERS - 1), member_id(MEMBERS - 2)
SETTINGS = CardSettings()
TAGS = (MemberTag(Tag.REGULAR, "常客", "regular"), MemberTag(Tag.HIGH_VALUE, "高消费会员", "high value"))


def no_store(_: str, __: datetime) -> tuple[None, str]:
    return None, "the store is gone"


def never(_: str, __: datetime) -> tuple[None, str]:
    raise AssertionError


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


class TestRank:
    def test_published_scores_go_before_factors_and_factors_before_popularity(self, publication: Publication) -> None:
        products = tuple(product_id(n) for n in range(PRODUCTS))
        ranking = rank(publication, member_id(2), products, personalised=True)
        assert sorted(item.product_id for item in ranking.items) == sorted(products)
        assert [item.rank for item in ranking.items] == list(range(1, PRODUCTS + 1))
        rules = [item.rule for item in ranking.items]
        assert rules == [Rule.PUBLISHED] * 40 + [Rule.FACTORS] * 15 + [Rule.POPULARITY] * 5
        made = content()
        listed = made.recommend[made.recommend["member_id"] == member_id(2)].sort_values("score", ascending=False)
        assert [item.product_id for item in ranking.items[:40]] == listed["product_id"].tolist()
        assert made.factors is not None
        dots = made.factors.product_factors @ made.factors.member_factors[2]
        for item in ranking.items[40:55]:
            assert item.score == pytest.approx(dots[int(item.product_id[1:])], rel=1e-5)
        assert [item.product_id for item in ranking.items[55:]] == [product_id(n) for n in range(55, 60)]

    @pytest.mark.parametrize("member", [None, "nobody", OUT, member_id(1)])
    def test_without_a_history_popularity_rules(self, publication: Publication, member: str | None) -> None:
        products = tuple(product_id(n) for n in (20, 3, 40))
        ranking = rank(publication, member, products, personalised=member != member_id(1))
        assert [item.product_id for item in ranking.items] == [product_id(n) for n in (3, 20, 40)]
        assert {item.rule for item in ranking.items} == {Rule.POPULARITY}

    def test_unknown_and_repeated_products_are_named_by_place(self, publication: Publication) -> None:
        with pytest.raises(UnknownError) as unknown:
            rank(publication, None, (product_id(1), "?"), personalised=True)
        assert unknown.value.fields["field"] == "products.1"
        with pytest.raises(RequestError) as twice:
            rank(publication, None, (product_id(1), product_id(2), product_id(1)), personalised=True)
        assert twice.value.fields["field"] == "products.2"


class TestNeighbours:
    def test_similar_and_together_differ(self, publication: Publication) -> None:
        assert [item.product_id for item in similar(Desk.of(publication, PLACEMENTS), product_id(12), k=3).items] == [
            product_id(n) for n in (18, 24, 30)
        ]
        answer = bought_together(Desk.of(publication, PLACEMENTS), product_id(12), k=2)
        assert [item.product_id for item in answer.items] == [product_id(13), product_id(14)]
        assert answer.items[0].reason.en == "often bought with product 12"

    def test_too_few_are_filled_up_from_the_category(self, publication: Publication) -> None:
        answer = similar(Desk.of(publication, PLACEMENTS), product_id(12), k=5)
        assert len(answer.items) == 5
        assert {item.category for item in answer.items} == {category(12)}
        assert [fallback.step for fallback in answer.fallbacks] == ["popular_in_category"]

    def test_an_unknown_product_is_named(self, publication: Publication) -> None:
        with pytest.raises(UnknownError) as caught:
            similar(Desk.of(publication, PLACEMENTS), "?", k=5)
        assert caught.value.fields["field"] == "product_id"


class TestMemberCard:
    def test_days_are_counted_from_as_of(self, publication: Publication) -> None:
        card = member_card(publication, member_id(5), no_store, SETTINGS)
        assert len(card.next_purchases) == 6
        first = card.next_purchases[0]
        assert first.p14 == max(purchase.p14 for purchase in card.next_purchases)
        for purchase in card.next_purchases:
            assert purchase.low_day == str(AS_OF.day + timedelta(days=2))
            beyond = purchase.p28 < 0.5
            assert purchase.median_day == (None if beyond else str(AS_OF.day + timedelta(days=10)))
            assert purchase.high_day == (None if beyond else str(AS_OF.day + timedelta(days=30)))

    def test_needs_are_told_and_one_that_has_ended_is_not_due_and_comes_last(self, publication: Publication) -> None:
        purchases = member_card(publication, member_id(12), no_store, SETTINGS).next_purchases
        told = {purchase.category: purchase for purchase in purchases}
        assert purchases[-1].category == category(0)
        ended, lasting = told[category(0)], told[category(1)]
        assert (ended.need_ends, ended.next_category) == (str(AS_OF), category(1))
        assert (ended.median_day, ended.low_day, ended.high_day) == (None, None, None)
        assert (lasting.need_ends, lasting.next_category) == (str(AS_OF.plus(days=12)), "category to come")
        assert lasting.low_day is not None
        assert (told[category(2)].need_ends, told[category(2)].next_category) == (None, None)
        chances = [purchase.p14 for purchase in purchases[:-1]]
        assert chances == sorted(chances, reverse=True)

    @pytest.mark.parametrize(("n", "band"), [(0, "low"), (18, "low"), (19, "medium"), (27, "medium"), (28, "high")])
    def test_the_band_follows_the_odds_against_the_average(self, publication: Publication, n: int, band: str) -> None:
        churn = member_card(publication, member_id(n), no_store, SETTINGS).churn
        assert churn is not None
        assert (churn.band, churn.days) == (band, 28)
        assert churn.base == pytest.approx(0.5)
        assert churn.rank == pytest.approx(n / 37, abs=0.03)

    def test_the_card_says_why_with_the_members_own_values(self, publication: Publication) -> None:
        first, other = (member_card(publication, member_id(n), no_store, SETTINGS).churn for n in (0, 5))
        assert first is not None
        assert other is not None
        assert first.why == ()
        assert [(reason.code, reason.share) for reason in other.why] == [("recency", 0.5), ("spend", 0.25)]
        assert other.why[0].params == {"days_since_purchase": None, "mean_gap": None, "purchase_days": None}

    def test_the_card_says_what_the_member_is_worth(self, publication: Publication) -> None:
        value = member_card(publication, member_id(20), no_store, SETTINGS).value
        assert value == Value(purchases=4.0, money=200.0, margin=45.0, days=90, model_version="1")
        assert member_card(publication, member_id(MEMBERS - 2), no_store, SETTINGS).value is None

    def test_the_card_says_its_tags_in_words(self, publication: Publication) -> None:
        assert member_card(publication, member_id(5), no_store, SETTINGS).tags == TAGS
        assert member_card(publication, member_id(4), no_store, SETTINGS).tags == ()

    def test_members_of_one_score_are_in_one_band_and_none_of_them_lower_than_the_other(self, tmp_path: Path) -> None:
        made = content()
        score = np.where(np.arange(len(made.churn)) < 8, 0.1, 0.9)
        changed = dataclasses.replace(made, churn=made.churn.assign(score=score))
        opened = Publication.open(write_publication(tmp_path, changed))
        low, high = (member_card(opened, member_id(n), no_store, SETTINGS).churn for n in (0, 30))
        assert low is not None
        assert high is not None
        assert (low.rank, low.band) == (0, "low")
        assert high.rank == pytest.approx(8 / 38, abs=0.03)
        assert high.band == "high"

    def test_what_stands_out_is_furthest_from_the_middle(self, publication: Publication) -> None:
        notable = member_card(publication, member_id(0), no_store, SETTINGS).notable
        ranks = {feature.name: feature.rank for feature in notable}
        assert ranks["orders_90"] < 0.05
        distances = [abs(feature.rank - 0.5) for feature in notable]
        assert distances == sorted(distances, reverse=True)

    def test_the_online_row_goes_before_the_published_one(self, publication: Publication) -> None:
        live = FeatureRow("online", "2025-04-01T10:00:00+00:00", None, {"orders_90": 6})
        asked: list[tuple[str, datetime]] = []

        def read(member: str, not_before: datetime) -> tuple[FeatureRow, None]:
            asked.append((member, not_before))
            return live, None

        assert member_card(publication, member_id(5), read, SETTINGS).features == live
        assert asked == [(member_id(5), AS_OF.instant)]
        stored = member_card(publication, member_id(5), no_store, SETTINGS).features
        assert stored is not None
        assert (stored.source, stored.note, stored.values["orders_90"]) == ("published", "the store is gone", 5.0)
        assert stored.timestamp == "2025-03-30T16:00:00+00:00"

    def test_launches_come_best_first(self, publication: Publication) -> None:
        scores = [launch.score for launch in member_card(publication, member_id(5), no_store, SETTINGS).new_products]
        assert len(scores) == 4
        assert scores == sorted(scores, reverse=True)

    def test_a_member_without_scores_has_an_empty_card(self, publication: Publication) -> None:
        card = member_card(publication, WITHOUT_LISTS, no_store, SETTINGS)
        assert (card.standing, card.churn, card.next_purchases) == (Standing.KNOWN, None, ())
        assert card.features is not None

    def test_an_opted_out_member_has_no_card(self, publication: Publication) -> None:
        card = member_card(publication, OUT, never, SETTINGS)
        assert card.standing is Standing.OPTED_OUT
        assert (card.churn, card.tags, card.next_purchases, card.notable, card.features) == (None, (), (), (), None)

    def test_an_unknown_member_is_named(self, publication: Publication) -> None:
        with pytest.raises(UnknownError) as caught:
            member_card(publication, "nobody", never, SETTINGS)
        assert caught.value.fields["field"] == "member_id"


class TestAudience:
    def test_a_threshold_takes_what_is_at_or_above_it(self, publication: Publication) -> None:
        scores = content().churn["score"]
        answer = preview(publication, AudienceAsk("churn", threshold=float(scores[30])))
        assert (answer.count, answer.scored) == (8, 38)
        assert answer.share == pytest.approx(8 / 38)
        assert answer.lowest == scores[30]
        assert answer.expected == pytest.approx(scores[30:].sum())
        assert [member.member_id for member in answer.sample[:2]] == [member_id(37), member_id(36)]
        assert answer.sample[0].tags == TAGS

    def test_the_top_and_the_sample_are_cut(self, publication: Publication) -> None:
        answer = preview(publication, AudienceAsk("churn", top=5, sample=2))
        assert (answer.count, len(answer.sample)) == (5, 2)
        assert preview(publication, AudienceAsk("churn")).count == 38

    def test_members_are_picked_by_the_money_expected(self, publication: Publication) -> None:
        answer = preview(publication, AudienceAsk("value", top=2))
        assert [(member.member_id, member.score) for member in answer.sample] == [
            (member_id(37), 370.0),
            (member_id(36), 360.0),
        ]
        assert (answer.expected, answer.scored) == (730.0, 38)
        assert (answer.histogram[0].low, answer.histogram[-1].high) == (0.0, 370.0)

    def test_a_need_that_has_ended_is_in_no_audience(self, publication: Publication) -> None:
        everybody = preview(publication, AudienceAsk("repurchase", category=category(2), sample=100))
        lasting = preview(publication, AudienceAsk("repurchase", category=category(1), sample=100))
        ended = preview(publication, AudienceAsk("repurchase", category=category(0), sample=100))
        grown = {member_id(n) for n in range(10, 20)}
        assert {member.member_id for member in everybody.sample} == {member.member_id for member in lasting.sample}
        assert {member.member_id for member in everybody.sample} - grown == {one.member_id for one in ended.sample}

    @pytest.mark.parametrize("within", [7, 14, 28])
    def test_repurchase_takes_the_probability_asked_for(self, publication: Publication, within: int) -> None:
        answer = preview(publication, AudienceAsk("repurchase", category=category(3), within=within))
        made = content().repurchase
        given = made[made["category"] == category(3)].set_index("member_id")[f"p{within}"]
        assert answer.expected == pytest.approx(given.sum(), rel=1e-5)
        assert {member.member_id: member.score for member in answer.sample} == pytest.approx(
            given.nlargest(10).to_dict(), rel=1e-5
        )

    @pytest.mark.parametrize("task", ["new_product", "recommend"])
    def test_a_product_picks_its_members(self, publication: Publication, task: str) -> None:
        product = product_id(50 if task == "new_product" else 12)
        frame = content().new_product if task == "new_product" else content().recommend
        given = frame[frame["product_id"] == product].set_index("member_id")["score"]
        answer = preview(publication, AudienceAsk(task, product_id=product, top=4))
        assert [member.member_id for member in answer.sample] == given.nlargest(4).index.tolist()
        assert (answer.expected is None) == (task == "recommend")

    def test_the_histogram_counts_everybody_scored(self, publication: Publication) -> None:
        for wanted in (AudienceAsk("churn", top=1), AudienceAsk("recommend", product_id=product_id(12), top=1)):
            answer = preview(publication, wanted)
            assert len(answer.histogram) == 20
            assert sum(one.count for one in answer.histogram) == answer.scored
            np.testing.assert_allclose(
                [one.high for one in answer.histogram[:-1]], [one.low for one in answer.histogram[1:]]
            )

    def test_nobody_scored_is_an_empty_audience(self, publication: Publication) -> None:
        answer = preview(publication, AudienceAsk("new_product", product_id=product_id(1), threshold=0.5))
        assert (answer.count, answer.scored, answer.share, answer.histogram, answer.lowest) == (0, 0, 0.0, (), None)

    @pytest.mark.parametrize(
        ("wanted", "field", "kind"),
        [
            (AudienceAsk("loyalty"), "task", RequestError),
            (AudienceAsk("repurchase"), "category", RequestError),
            (AudienceAsk("repurchase", category="?"), "category", UnknownError),
            (AudienceAsk("repurchase", category=category(1), within=8), "within", RequestError),
            (AudienceAsk("recommend"), "product_id", RequestError),
            (AudienceAsk("new_product", product_id="?"), "product_id", UnknownError),
            (AudienceAsk("churn", threshold=0.1, top=3), "top", RequestError),
            (AudienceAsk("churn", category=category(1)), "category", RequestError),
            (AudienceAsk("churn", within=14), "within", RequestError),
            (AudienceAsk("repurchase", category=category(1), product_id=product_id(1)), "product_id", RequestError),
            (AudienceAsk("recommend", product_id=product_id(12), within=7), "within", RequestError),
        ],
    )
    def test_what_is_missing_or_unknown_is_named(
        self, publication: Publication, wanted: AudienceAsk, field: str, kind: type[RequestError]
    ) -> None:
        with pytest.raises(RequestError) as caught:
            preview(publication, wanted)
        assert type(caught.value) is kind
        assert caught.value.fields["field"] == field


def test_answers_of_a_publication_without_factors_fall_to_popularity(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = write_publication(tmp_path_factory.mktemp("bare"), dataclasses.replace(content(), factors=None))
    ranking = rank(Publication.open(folder), member_id(1), (product_id(50), product_id(2)), personalised=True)
    assert [item.rule for item in ranking.items] == [Rule.POPULARITY] * 2
