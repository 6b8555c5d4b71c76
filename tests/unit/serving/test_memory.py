from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from recsys.answers.policy import read_placements
from recsys.answers.recommend import recommend_json
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError
from recsys.store.live import Doings, Touch
from serving import front as front_module
from serving import memory as memory_module
from serving import recommending
from serving.call import HERE, Call
from serving.front import Front
from serving.live_reads import LiveReads
from serving.memory import SECONDS, Memory
from serving.recommending import recommendation, recommendation_json
from serving.schemas import RecommendRequest
from serving.state import State
from tests.publications import MEMBERS, content, member_id, product_id
from tests.unit.serving.stores import Heard, Store

PLACEMENTS = Path(__file__).parents[3] / "serving" / "placements.toml"
NOON = 1_743_393_600.0
DAY = 86_400.0
OUT = member_id(MEMBERS - 1)
CALL = Call("", HERE)
VIEWED = Doings(viewed=(Touch(product_id(30), NOON),))


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


class Mall:
    """A state without a process: its clock, its live store, and how often an answer was worked out."""

    def __init__(self, publication: Publication, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.now, self.made = Store(), NOON, 0
        self.live = LiveReads(self.store, folder / "live", Heard())
        self.front = Front(self.live)
        self.front.lay(publication, read_placements(PLACEMENTS))
        self.memory = Memory(self.front, self.live)
        made = recommend_json

        def counted(*arguments: Any, doings: Any, now: float) -> Any:
            self.made += 1
            return made(*arguments, doings=doings, now=now)

        monkeypatch.setattr(recommending, "recommend_json", counted)
        monkeypatch.setattr(recommending, "time", lambda: self.now)
        monkeypatch.setattr(front_module, "REST", 0)

    def ask(self, **more: object) -> dict[str, Any]:
        body = {"placement": "home", "member_id": member_id(1), "k": 5, **more}
        request = RecommendRequest.model_validate_json(orjson.dumps(body))
        answer: dict[str, Any] = orjson.loads(recommendation_json(self.state, request, CALL).body)
        return answer

    @property
    def state(self) -> State:
        return cast(State, SimpleNamespace(desk=self.front.desk(), live=self.live, memory=self.memory))


@pytest.fixture
def mall(publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mall]:
    mall = Mall(publication, tmp_path, monkeypatch)
    yield mall
    mall.live.stop()


def test_the_same_question_is_worked_out_once_and_answered_under_an_id_of_its_own(mall: Mall) -> None:
    first, second = mall.ask(), mall.ask()
    assert mall.made == 1
    ids = [answer.pop("recommendation_id") for answer in (first, second)]
    assert first == second
    assert ids[0] != ids[1]
    assert ids[0].split(".")[2:] == ids[1].split(".")[2:]


def test_a_remembered_answer_is_the_one_that_would_be_made(mall: Mall) -> None:
    mall.store.done = VIEWED
    mall.ask()
    told = mall.ask()
    request = RecommendRequest.model_validate({"placement": "home", "member_id": member_id(1), "k": 5})
    made = orjson.loads(orjson.dumps(recommendation(mall.state, request, CALL)))
    assert {**told, "recommendation_id": ""} == {**made, "recommendation_id": ""}


def test_another_question_is_another_answer(mall: Mall) -> None:
    assert len(mall.ask(k=5)["items"]) == 5
    assert len(mall.ask(k=3)["items"]) == 3
    assert mall.ask(member_id=member_id(2))["member_id"] == member_id(2)
    assert mall.ask(personalised=False)["standing"] == "not_personalised"
    assert mall.made == 4


def test_what_says_something_particular_is_not_remembered(mall: Mall) -> None:
    mall.ask(exclude=[])
    mall.ask(exclude=[])
    assert mall.made == 2


def test_what_was_done_since_is_in_the_next_answer(mall: Mall) -> None:
    before = mall.ask()
    mall.store.done = VIEWED
    assert mall.ask()["items"] != before["items"]
    assert mall.ask()["items"] != before["items"]
    assert mall.made == 2


def test_stock_that_changed_is_in_the_next_answer_both_ways(mall: Mall) -> None:
    first = mall.ask()["items"][0]["product_id"]
    mall.store.version, mall.store.told = 1, {first: 0.0}
    assert first not in {item["product_id"] for item in mall.ask()["items"]}
    mall.store.version, mall.store.told = 2, {first: 5.0}
    assert mall.ask()["items"][0]["product_id"] == first


def test_an_answer_made_while_restocking_rests_is_not_remembered(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "REST", 1e6)
    mall.store.version, mall.store.told = 1, {product_id(20): 0.0}
    mall.ask()
    mall.store.version = 2
    mall.ask()
    mall.ask()
    assert mall.made == 3


def test_another_publication_another_day_and_time_end_what_is_remembered(mall: Mall, publication: Publication) -> None:
    mall.ask()
    mall.front.lay(publication, read_placements(PLACEMENTS))
    mall.ask()
    assert mall.made == 2
    mall.now += SECONDS - 1
    mall.ask()
    assert mall.made == 2
    mall.now += 1
    mall.ask()
    assert mall.made == 3
    mall.now += DAY
    mall.ask()
    assert mall.made == 4


def test_an_answer_without_the_live_store_is_not_remembered_and_told(mall: Mall) -> None:
    def degraded() -> bool:
        return "published" in {step["step"] for step in mall.ask()["fallbacks"]}

    assert not degraded()
    mall.store.error = ArtifactError(Path("live"), "cannot be read")
    assert degraded()
    assert degraded()


def test_nothing_is_read_of_whoever_opted_out_or_is_not_to_be_answered_personally(mall: Mall) -> None:
    for _ in range(3):
        assert mall.ask(member_id=OUT)["standing"] == "opted_out"
        assert mall.ask(personalised=False)["standing"] == "not_personalised"
    assert mall.made == 2
    assert set(mall.store.asked) == {None}


def test_it_remembers_so_many_and_forgets_the_oldest(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MOST", 2)
    for k in (1, 2, 3, 2, 3, 1):
        mall.ask(k=k)
    assert mall.made == 4


def test_an_answer_that_fails_in_a_way_nobody_foresaw_becomes_a_popular_one(
    mall: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(recommending, "recommend_json", fail)
    answer = mall.ask()
    assert not mall.memory.recall(("home", member_id(1), None, 5, True), NOON)
    assert answer["fallbacks"][0]["step"] == "popular"
    assert len(answer["items"]) == 5
    assert answer["route"] == "cold"
