from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.policy import read_placements
from recsys.answers.recommend import Answered, recommend_json
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.store.live import NOTHING, Doings, Touch
from serving import memory as memory_module
from serving.memory import SECONDS, Fetch, Key, Memory
from tests.publications import MEMBERS, content, member_id, product_id

PLACEMENTS = Path(__file__).parents[3] / "serving" / "placements.toml"
NOON = 1_743_393_600.0
DAY = 86_400.0


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = write_publication(tmp_path_factory.mktemp("publications"), content())
    return Desk.of(Publication.open(folder), read_placements(PLACEMENTS))


class Asking:
    """Asks a memory, and counts what had to be worked out and fetched."""

    def __init__(self, desk: Desk, member: str | None = member_id(1)) -> None:
        self.memory = Memory()
        self.desk = desk
        self.member = member
        self.doings: Doings | None = NOTHING
        self.made = 0
        self.fetched = 0

    def __call__(self, now: float = NOON, *, k: int = 5) -> dict[str, object]:
        key: Key = ("home", self.member, None, k, True)
        answer: dict[str, object] = orjson.loads(
            self.memory.answer(self.desk, key, now, self._fetch, self._make(now, k)).body
        )
        return answer

    def _fetch(self) -> Doings | None:
        self.fetched += 1
        return self.doings

    def _make(self, now: float, k: int) -> Callable[[Fetch], Answered]:
        def make(fetch: Fetch) -> Answered:
            self.made += 1
            return recommend_json(self.desk, Ask("home", self.member, k=k), doings=fetch, now=now)

        return make


@pytest.fixture
def asking(desk: Desk) -> Asking:
    return Asking(desk)


def test_the_same_question_is_worked_out_once_and_answered_under_an_id_of_its_own(asking: Asking) -> None:
    first, second = asking(), asking(NOON + 1)
    assert asking.made == 1
    ids = [str(answer.pop("recommendation_id")) for answer in (first, second)]
    assert first == second
    assert ids[0] != ids[1]
    assert ids[0].split(".")[2:] == ids[1].split(".")[2:]
    assert len(ids[0]) == len(ids[1])


def test_another_question_is_another_answer(asking: Asking) -> None:
    assert len(asking(k=5)["items"]) == 5  # type: ignore[arg-type]
    assert len(asking(k=3)["items"]) == 3  # type: ignore[arg-type]
    assert asking.made == 2


def test_what_was_done_since_is_in_the_next_answer(asking: Asking) -> None:
    before = asking()
    asking.doings = Doings(viewed=(Touch(product_id(30), NOON),))
    after = asking(NOON + 1)
    assert after["items"] != before["items"]
    assert asking.made == 2
    asking.doings = Doings(viewed=(Touch(product_id(30), NOON),))
    asking(NOON + 2)
    assert asking.made == 2


def test_another_desk_another_day_and_time_end_what_is_remembered(asking: Asking) -> None:
    asking()
    asking.desk = asking.desk.restocked({product_id(10): 0.0})
    asking()
    assert asking.made == 2
    asking(NOON + SECONDS - 1)
    assert asking.made == 2
    asking(NOON + SECONDS)
    assert asking.made == 3
    asking(NOON + DAY)
    assert asking.made == 4


def test_an_answer_without_the_live_store_is_not_remembered(asking: Asking) -> None:
    asking.doings = None
    degraded = asking()
    assert "published" in str(degraded["fallbacks"])
    asking.doings = NOTHING
    assert "published" not in str(asking()["fallbacks"])
    asking.doings = None
    assert "published" in str(asking()["fallbacks"])
    assert asking.made == 3


def test_doings_are_fetched_once_and_never_of_whoever_opted_out(desk: Desk) -> None:
    asking = Asking(desk)
    asking()
    assert asking.fetched == 1
    out = Asking(desk, member_id(MEMBERS - 1))
    for _ in range(3):
        assert out()["standing"] == "opted_out"
    assert (out.made, out.fetched) == (1, 0)


def test_it_remembers_so_many_and_forgets_the_oldest(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MOST", 2)
    for k in (1, 2, 3, 2, 3, 1):
        asking(k=k)
    assert asking.made == 4
