import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.identity import parse
from recsys.answers.policy import Placements, read_placements
from recsys.answers.recommend import recommend
from recsys.answers.shapes import Recommendation, Source
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Challenger
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ConfigError
from recsys.store.live import NOTHING, Doings, Touch
from tests.publications import AS_OF, MEMBERS, PRODUCTS, category, content, member_id, product_id

GOOD = '[home]\ntitle = "Home"\nsources = [{ name = "personal" }]\n'
NOW = AS_OF.instant.timestamp() + 3600
OUT = member_id(MEMBERS - 1)


def read(tmp_path: Path, text: str) -> Placements:
    path = tmp_path / "placements.toml"
    path.write_text(text)
    return read_placements(path)


def test_a_placement_needs_little(tmp_path: Path) -> None:
    policy = read(tmp_path, GOOD).of("home")
    assert (policy.sources[0].worth, policy.fallback, policy.mmr) == (1.0, (Source.POPULAR,), None)


def test_a_file_says_everything_there_is(tmp_path: Path) -> None:
    more = """
    around = "cart"
    depth = 50
    categories = { allow = ["tea", "cups"], deny = ["wine"] }
    brands = { deny = ["x"] }
    mmr = 0.7
    price_band = 0.2
    caps = { product_per_day = 3, member_per_day = 100 }
    live = { cart = 0.5, touches = 2 }
    boosts = [{ factor = 2, brands = ["y"], audience = { all = ["regular", "high_value"] } }]
    variants = [{ name = "b", share = 0.5, change = { mmr = 0.9, sources = [{ name = "popular" }] } }]
    [[home.pins]]
    product = "p1"
    place = 2
    first_day = 2025-03-01
    last_day = 2025-03-31
    audience = { any = ["regular"] }
    [questions.goal]
    attribute = "survey"
    answers = { sleep = ["tea"] }
    """
    placements = read(tmp_path, GOOD + more)
    home = placements.of("home")
    assert home.pins[0].last_day == date(2025, 3, 31)
    changed = home.policies["b"]
    assert (changed.mmr, changed.sources[0].name, changed.depth) == (0.9, Source.POPULAR, 50)
    assert placements.questions["goal"].answers == {"sleep": ("tea",)}


VARIANT = 'variants = [{ name = "b", share = 0.5, change = { %s } }]\n'


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("", "placements"),
        (GOOD + "colour = 1\n", "placements.home.colour"),
        (GOOD + "max_per_category = 0\n", "placements.home.max_per_category"),
        (GOOD + "mmr = 0\n", "placements.home.mmr"),
        (GOOD + "mmr = 1.1\n", "placements.home.mmr"),
        (GOOD + "depth = 100000\n", "placements.home.depth"),
        (GOOD + "price_band = -0.1\n", "placements.home.price_band"),
        (GOOD + 'around = "page 2"\n', "placements.home.around"),
        (GOOD + 'fallback = ["popularity"]\n', "placements.home.fallback.0"),
        (GOOD + "fallback = []\n", "placements.home"),
        (GOOD + 'fallback = ["pinned", "popular"]\n', "placements.home"),
        (GOOD + 'categories = { allow = ["a"], deny = ["a"] }\n', "placements.home.categories"),
        (GOOD + "boosts = [{ factor = 2 }]\n", "placements.home.boosts.0"),
        (GOOD + 'boosts = [{ factor = 0, brands = ["a"] }]\n', "placements.home.boosts.0.factor"),
        (GOOD + 'pins = [{ product = "p", place = 0 }]\n', "placements.home.pins.0.place"),
        (
            GOOD + 'pins = [{ product = "p", place = 1, audience = { any = ["rich"] } }]\n',
            "placements.home.pins.0.audience.any.0",
        ),
        (
            GOOD + 'pins = [{ product = "p", place = 1, first_day = 2025-02-02, last_day = 2025-02-01 }]\n',
            "placements.home.pins.0",
        ),
        (GOOD + 'pins = [{ product = "p", place = 1 }, { product = "p", place = 1 }]\n', "placements.home"),
        (GOOD + 'variants = [{ name = "control", share = 0.5 }]\n', "placements.home"),
        (GOOD + 'variants = [{ name = "b", share = 0.6 }, { name = "c", share = 0.6 }]\n', "placements.home"),
        (GOOD + 'variants = [{ name = "b", share = 0.2 }, { name = "b", share = 0.2 }]\n', "placements.home"),
        (GOOD + 'variants = [{ name = "b c", share = 0.2 }]\n', "placements.home.variants.0.name"),
        (GOOD + VARIANT % "mmr = 2", "placements.home.mmr"),
        (GOOD + VARIANT % "colour = 2", "placements.home.colour"),
        (GOOD + VARIANT % "variants = []", "placements.home.variants"),
        (GOOD + "[questions.goal]\n", "questions.goal.answers"),
        (GOOD.replace("home", "h" * 41), f"placements.{'h' * 41}.[key]"),
        ('[home]\ntitle = "Home"\nsources = []\n', "placements.home.sources"),
        ('[home]\ntitle = ""\nsources = [{name = "new"}, {name = "new"}]\n', "placements.home"),
        ('[home]\ntitle = ""\nsources = [{name = "new", weight = -1}]\n', "placements.home.sources.0.weight"),
        (
            '[home]\ntitle = ""\nsources = [{name = "new", share = 0.6}, {name = "personal", share = 0.6}]\n',
            "placements.home",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.fields["setting"] == setting


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, "[home")
    with pytest.raises(ConfigError):
        read_placements(tmp_path / "none.toml")


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


def desk(publication: Publication, questions: dict[str, Any] | None = None, **policy: Any) -> Desk:
    place = {"title": "", "sources": [{"name": "personal"}], **policy}
    return Desk.of(publication, Placements.checked({"placements": {"home": place}, "questions": questions or {}}))


def ids(answer: Recommendation) -> list[str]:
    return [item.product_id for item in answer.items]


HALVES: dict[str, Any] = {"variants": [{"name": "b", "share": 0.5, "change": {"sources": [{"name": "popular"}]}}]}


class TestVariants:
    def test_a_member_stays_in_a_variant_and_is_told(self, publication: Publication) -> None:
        home = desk(publication, **HALVES)
        for n in range(5):
            told = {recommend(home, Ask("home", member_id(n)), now=NOW + day).variant for day in range(3)}
            assert len(told) == 1
            answer = recommend(home, Ask("home", member_id(n)), now=NOW)
            assert {item.source for item in answer.items} == ({Source.POPULAR} if told == {"b"} else {Source.PERSONAL})
            assert f".{answer.variant}." in answer.recommendation_id

    def test_shares_are_kept_among_visitors_and_dealt_anew_by_another_experiment(
        self, publication: Publication
    ) -> None:
        first, second = desk(publication, **HALVES), desk(publication, experiment="again", **HALVES)
        visitors = [f"visitor {n}" for n in range(2000)]
        dealt = [[home.deal("home").variant(visitor) for visitor in visitors] for home in (first, second)]
        for variants in dealt:
            assert 900 < sum(variants) < 1100
        assert 900 < sum(one == other for one, other in zip(*dealt, strict=True)) < 1100

    @pytest.mark.parametrize("ask", [Ask("home"), Ask("home", OUT), Ask("home", member_id(1), personalised=False)])
    def test_whoever_is_not_personalised_gets_the_control(self, publication: Publication, ask: Ask) -> None:
        home = desk(publication, variants=[{"name": "b", "share": 1}])
        assert recommend(home, ask, now=NOW).variant == "control"
        assert recommend(home, Ask("home", member_id(1)), now=NOW).variant == "b"
        assert recommend(home, Ask("home", anonymous_id="x"), now=NOW).variant == "b"


class TestModels:
    TRY = ({"name": "b", "share": 1, "change": {"model": "challenger"}},)

    def test_a_variant_answers_from_the_challengers_lists_and_says_so(self, tmp_path: Path) -> None:
        other = content(seed=1)
        tried = dataclasses.replace(content(), challenger=Challenger("2", other.recommend, other.discovery))
        publication = Publication.open(write_publication(tmp_path, tried))
        theirs = Publication.open(write_publication(tmp_path / "theirs", other))
        home, plain = desk(publication, variants=self.TRY), desk(theirs)
        for n in range(5):
            answer = recommend(home, Ask("home", member_id(n)), now=NOW)
            assert ids(answer) == ids(recommend(plain, Ask("home", member_id(n)), now=NOW))
            assert (answer.variant, answer.model_version) == ("b", "2")
            assert parse(answer.recommendation_id).model_version == "2"
        assert home.unknown == ()
        assert recommend(home, Ask("home"), now=NOW).model_version == "1"

    def test_without_a_challenger_the_champion_answers_and_the_lack_is_told(self, publication: Publication) -> None:
        home, plain = desk(publication, variants=self.TRY), desk(publication)
        answer = recommend(home, Ask("home", member_id(1)), now=NOW)
        assert ids(answer) == ids(recommend(plain, Ask("home", member_id(1)), now=NOW))
        assert (answer.variant, answer.model_version) == ("b", "1")
        assert home.unknown == ("home.variants.b.model: no challenger was published",)


def every(value: object) -> "pd.Series[Any]":
    return pd.Series([value] * MEMBERS, dtype=object)


def history(publication: Publication, seed: int) -> Publication:
    """The same products, with another past of every member."""
    other = content(seed=seed)
    changed = dataclasses.replace(
        content(),
        members=other.members.assign(tags=every(["lapsed"]), attributes=every({"survey": "bones"})),
        recommend=other.recommend,
        discovery=other.discovery,
        new_product=other.new_product,
        bought=other.bought.assign(product_id=product_id(3)),
        price_bands=other.price_bands.assign(low=0.1, high=0.2),
        factors=other.factors,
    )
    return Publication.open(write_publication(publication.folder.parent / f"other{seed}", changed))


EVERYTHING_ON: dict[str, Any] = {
    "sources": [{"name": name} for name in ("live", "personal", "discovery", "declared", "together", "new")],
    "price_band": 0.0,
    "mmr": 0.7,
    "caps": {"product_per_day": 1, "member_per_day": 1},
    "pins": [{"product": product_id(20), "place": 1, "audience": {"any": ["lapsed", "regular"]}}],
    "boosts": [{"factor": 3, "categories": [category(1)], "audience": {"any": ["lapsed", "regular"]}}],
    "variants": [{"name": "b", "share": 0.5, "change": {"mmr": 0.9}}],
}
QUESTIONS = {"goal": {"attribute": "survey", "answers": {"sleep": [category(2)], "bones": [category(5)]}}}


@pytest.mark.parametrize("personalised", [False, True])
def test_an_answer_that_is_not_personal_does_not_depend_on_any_history(
    publication: Publication, *, personalised: bool
) -> None:
    """Neither the publication's nor the live one, nor what the request says of the past; it is not even fetched."""

    def never() -> Doings:
        raise AssertionError("a history was asked for")

    past = history(publication, 7)
    member = OUT if personalised else member_id(1)
    answers = []
    for published in (publication, past):
        for recent in ((), (product_id(30), product_id(31))):
            ask = Ask(
                "home", member, "browser", products=(product_id(12),), recent=recent, personalised=personalised, k=20
            )
            answer = recommend(desk(published, QUESTIONS, **EVERYTHING_ON), ask, doings=never, now=NOW)
            answers.append((ids(answer), [item.reason for item in answer.items], answer.fallbacks, answer.variant))
    assert all(answer == answers[0] for answer in answers)
    known = [
        recommend(desk(one, QUESTIONS, **EVERYTHING_ON), Ask("home", member_id(1), k=20), now=NOW)
        for one in (publication, past)
    ]
    assert ids(known[0]) != ids(known[1])


def test_a_history_that_cannot_be_read_is_told_and_done_without(publication: Publication) -> None:
    home = desk(publication, **EVERYTHING_ON)
    lost = recommend(home, Ask("home", member_id(1)), doings=lambda: None, now=NOW)
    assert [step.step for step in lost.fallbacks] == ["published"]
    assert ids(lost) == ids(recommend(home, Ask("home", member_id(1)), doings=lambda: NOTHING, now=NOW))


class TestStock:
    def test_stock_that_was_told_holds_both_ways(self, publication: Publication) -> None:
        home = desk(publication, sources=[{"name": "popular"}])
        told = {product_id(0): 0.0, product_id(6): 2.0, product_id(7): 5.0, product_id(8): 5.0, "unheard": 1.0}
        changed = home.restocked(told)
        everything = {product_id(n) for n in range(PRODUCTS)}
        gone = {product_id(n) for n in (6, 7, 8)}
        assert set(ids(recommend(home, Ask("home", k=100), now=NOW))) == everything - gone
        assert set(ids(recommend(changed, Ask("home", k=100), now=NOW))) == everything - gone - {product_id(0)} | {
            product_id(6)
        }
        assert set(ids(recommend(changed.restocked({}), Ask("home", k=100), now=NOW))) == everything - gone

    def test_the_retailers_own_lists_hold_whatever_is_in_stock(self, publication: Publication) -> None:
        home = desk(
            publication, categories={"allow": [category(0), category(1)], "deny": []}, brands={"deny": ["brand 0"]}
        )
        answer = recommend(home.restocked({product_id(6): 3.0}), Ask("home", k=100), now=NOW)
        assert {item.category for item in answer.items} == {category(0), category(1)}
        assert "brand 0" not in {item.brand for item in answer.items}
        assert product_id(6) in ids(answer)


class TestSurveys:
    def test_answers_and_preferences_make_the_cold_route_personal(self, publication: Publication) -> None:
        home = desk(publication, QUESTIONS, sources=[{"name": "declared"}])
        ask = Ask(
            "home",
            k=4,
            answers={"goal": ("bones", "none of these"), "colour": ("red",)},
            preferences=(category(4), "?"),
        )
        answer = recommend(home, ask, now=NOW)
        assert [item.category for item in answer.items] == [category(4), category(5)] * 2
        assert answer.route == "declared"
        assert answer.ignored_answers == ("?", "goal: none of these", "colour: red")
        assert answer.items[1].reason.params == {"category": category(5), "question": "goal", "answer": "bones"}
        assert answer.items[0].reason.en == "from category 4, as you asked for"

    def test_what_a_member_declared_once_counts_until_the_request_says_otherwise(
        self, publication: Publication
    ) -> None:
        home = desk(publication, QUESTIONS, sources=[{"name": "declared"}])
        kept = recommend(home, Ask("home", member_id(4), k=2), now=NOW)
        assert {item.category for item in kept.items} == {category(2)}
        said = recommend(home, Ask("home", member_id(4), k=2, answers={"goal": ("bones",)}), now=NOW)
        assert {item.category for item in said.items} == {category(5)}


def test_names_that_the_publication_lacks_are_told_and_do_no_harm(publication: Publication) -> None:
    home = desk(
        publication,
        {"goal": {"answers": {"sleep": ["no category"]}}},
        pins=[{"product": "no product", "place": 1}],
        boosts=[{"factor": 2, "brands": ["no brand"]}],
    )
    assert home.unknown == (
        "home.pins: no product 'no product'",
        "home.boosts: no brand 'no brand'",
        "questions.goal: no category 'no category'",
    )
    assert len(recommend(home, Ask("home", member_id(1)), now=NOW).items) == 10


def test_reasons_say_what_was_done(publication: Publication) -> None:
    home = desk(publication, sources=[{"name": "live"}, {"name": "new", "share": 0.5}])
    done = Doings(
        viewed=(Touch(product_id(12), NOW - 60),),
        favourites=(Touch(product_id(20), NOW - 60),),
        cart=(Touch(product_id(30), NOW - 60),),
    )
    answer = recommend(home, Ask("home", member_id(1), k=14), doings=lambda: done, now=NOW)
    told = {item.product_id: item.reason.en for item in answer.items}
    assert told[product_id(12)] == "viewed lately"
    assert told[product_id(20)] == "in your favourites"
    assert told[product_id(31)] == "goes with product 30 in your cart"
    assert told[product_id(18)] == "like product 12, which you viewed lately"
    assert told[product_id(26)] == "like product 20 in your favourites"
    assert told[product_id(50)] == "new in category 2, a category you buy"
    assert product_id(30) not in told
    assert answer.route == "hot"


def test_a_purchase_takes_away_what_is_not_due_again(publication: Publication) -> None:
    home = desk(publication, sources=[{"name": "live"}, {"name": "personal"}], rest_days=10)
    before = recommend(home, Ask("home", member_id(1), k=40), now=NOW)
    first = before.items[0].product_id

    def after(days: float) -> list[str]:
        done = Doings(bought=(Touch(first, NOW - days * 86_400),), viewed=(Touch(first, NOW - 20 * 86_400),))
        return ids(recommend(home, Ask("home", member_id(1), k=40), doings=lambda: done, now=NOW))

    assert first not in after(0.01)
    gap = before.items[0].reason.params.get("mean_gap")
    due = 0.8 * float(gap) if gap is not None else 10
    assert first not in after(due - 0.1)
    assert first in after(due + 0.1)
