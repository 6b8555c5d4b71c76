"""How the shop and a member stand, held to plain counting over what was published."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.answers.errors import UnknownError
from recsys.answers.overview import WEEKS, overview, remember, remembered, standing, weeks
from recsys.answers.shapes import Standing
from recsys.answers.timeline import Kind, timeline
from recsys.answers.vocabulary import find_products, vocabulary
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.time import EPOCH
from recsys.store.live import NOTHING, Doings, Touch
from tests.publications import AS_OF, CATEGORIES, MEMBERS, PRODUCTS, Made, category, content, member_id, product_id

OUT = member_id(MEMBERS - 1)
ALL = 1_000_000


@pytest.fixture(scope="module")
def made() -> Made:
    whole = content()
    tags = whole.members["tags"].tolist()
    tags[2] = ["high_churn_risk", "due_this_week"]
    tags[3] = ["high_churn_risk"]
    return replace(whole, members=whole.members.assign(tags=tags))


@pytest.fixture(scope="module")
def publication(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), made))


def known(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["member_id"] != OUT]


class TestOverview:
    def test_it_counts_what_was_published(self, made: Made, publication: Publication) -> None:
        now = standing(publication)
        assert (now.members, now.opted_out) == (MEMBERS - 1, 1)
        assert now.active == len(known(made.churn))
        assert now.at_risk == 2
        assert now.due_this_week == 1
        assert now.expected_to_leave == pytest.approx(known(made.churn)["score"].sum())
        value = known(made.value).set_index("member_id")["score"]
        assert now.money_at_stake == pytest.approx(value[[member_id(2), member_id(3)]].sum())
        assert now.money_expected == pytest.approx(value.sum())
        lasting = known(made.repurchase)
        lasting = lasting[~(lasting["need_ends_day"] <= AS_OF.number)]
        assert now.purchases_this_week == pytest.approx(lasting["p7"].sum())

    def test_weeks_end_the_day_before_as_of_and_are_counted_whole(self, made: Made, publication: Publication) -> None:
        bought = known(made.purchases)
        found = {week.first_day: week for week in weeks(publication)}
        for back in range(1, WEEKS + 1):
            first = AS_OF.number - 7 * back
            own = bought[(bought["day"] >= first) & (bought["day"] < first + 7)]
            week = found.get(str(AS_OF.plus(days=-7 * back)))
            if week is None:
                assert own.empty
                continue
            assert week.members == own["member_id"].nunique()
            assert week.money == pytest.approx(own["amount"].sum(), rel=1e-5)
        assert list(found) == sorted(found)

    def test_publications_before_come_once_a_day_and_in_order(self, publication: Publication, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "overview.jsonl"
        now = standing(publication)
        assert remembered(path) == ()
        later = replace(now, as_of="2099-01-01", publication="later")
        for day, name in (("2025-03-03", "b"), ("2025-02-03", "a"), ("2025-03-03", "c")):
            remember(path, replace(now, as_of=day, publication=name))
        remember(path, now)
        remember(path, later)
        with path.open("a", encoding="utf-8") as file:
            file.write('{"of": "another version"}\nhalf a li')
        told = overview(publication, remembered(path), "2025-04-01T00:00:00+00:00")
        assert [one.publication for one in told.before] == ["a", "c"]
        assert told.now == now


class TestTimeline:
    def test_it_tells_all_that_is_known_newest_first(self, made: Made, publication: Publication) -> None:
        who = member_id(12)
        told = timeline(publication, who, lambda: NOTHING, limit=ALL)
        counts = {kind: sum(one.kind is kind for one in told.entries) for kind in Kind}
        for kind, frame in ((Kind.PURCHASE, made.purchases), (Kind.EVENT, made.events), (Kind.CONTACT, made.contacts)):
            assert counts[kind] == (frame["member_id"] == who).sum()
        moments = [(one.day, one.hour or 0) for one in told.entries]
        assert moments == sorted(moments, reverse=True)
        assert told.total == len(told.entries)
        newest = timeline(publication, who, lambda: NOTHING, limit=3)
        assert newest.entries == told.entries[:3]
        assert newest.total == told.total

    def test_days_of_purchase_add_up(self, made: Made, publication: Publication) -> None:
        own = made.purchases[made.purchases["member_id"] == member_id(12)]
        days = timeline(publication, member_id(12), lambda: NOTHING, limit=1).purchase_days
        assert sum(day.money for day in days) == pytest.approx(own["amount"].sum(), rel=1e-5)
        assert [day.day for day in days] == sorted(
            {str(pd.Timestamp(EPOCH) + pd.Timedelta(days=d))[:10] for d in own["day"]}
        )

    def test_what_came_in_since_is_told_and_what_was_before_is_not_told_twice(self, publication: Publication) -> None:
        since = AS_OF.instant.timestamp()
        doings = Doings(
            viewed=(Touch(product_id(3), since + 3600), Touch(product_id(4), since - 1)),
            cart=(Touch("not in the catalogue", since + 7200),),
        )
        told = timeline(publication, member_id(12), lambda: doings, limit=2)
        assert [one.kind for one in told.entries] == [Kind.LIVE_CART, Kind.LIVE_VIEW]
        assert told.entries[0].product is None
        assert told.entries[1].product is not None
        assert (told.entries[1].day, told.entries[1].hour) == (str(AS_OF), 1)
        assert told.live

    def test_live_doings_that_cannot_be_read_are_told(self, publication: Publication) -> None:
        assert not timeline(publication, member_id(12), lambda: None, limit=1).live

    def test_who_opted_out_is_not_looked_at(self, publication: Publication) -> None:
        def never() -> Doings:
            raise AssertionError

        told = timeline(publication, OUT, never, limit=ALL)
        assert (told.standing, told.entries, told.purchase_days) == (Standing.OPTED_OUT, (), ())

    def test_an_unknown_member_is_named(self, publication: Publication) -> None:
        with pytest.raises(UnknownError, match="nobody"):
            timeline(publication, "nobody", lambda: NOTHING, limit=1)


class TestVocabulary:
    def test_names_are_those_of_the_publication(self, publication: Publication) -> None:
        told = vocabulary(publication)
        assert {category(n) for n in range(CATEGORIES)} <= set(told.categories)
        assert told.categories == tuple(sorted(told.categories))
        assert {one.product_id for one in told.launches} == {product_id(n) for n in (8, 50, 51, 52)}
        assert len(vocabulary(publication, launches=2).launches) == 2

    def test_products_are_found_by_id_and_name_the_most_popular_first(self, publication: Publication) -> None:
        def found(text: str) -> list[str]:
            return [one.product_id for one in find_products(publication, text, ALL).products]

        order = [publication.products.text(row) for row in publication.popular.tolist()]
        assert found("PRODUCT 1") == [
            one for one in order if one in {product_id(1), *(product_id(n) for n in range(10, 20))}
        ]
        assert found("P00") == [one for one in order if one.startswith("p00")]
        assert found("no such product") == []
        assert len(found("")) == PRODUCTS
        assert np.isin(found(""), order).all()
