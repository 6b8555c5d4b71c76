import asyncio
import logging
import shutil
from pathlib import Path

import httpx
import pytest

from recsys.answers.shapes import Recommendation
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError
from recsys.core.folders import point
from serving.door import Door, Message, Receive, Scope, Send
from serving.online import OnlineRows
from serving.state import RETRY_POLLS, State
from tests.publications import content, member_id


class Counted:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.days: list[int] = []
        self.refusals = 0
        self.routes: list[str] = []

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        assert endpoint
        assert seconds >= 0
        self.statuses.append(status)

    def recommended(self, answer: Recommendation) -> None:
        self.routes.append(str(answer.route))

    def swapped(self, as_of_number: int) -> None:
        self.days.append(as_of_number)

    def refused(self) -> None:
        self.refusals += 1


class Failing(State):
    """A state that breaks in a way nobody foresaw."""

    @property
    def publication(self) -> Publication:
        raise ZeroDivisionError("secret detail")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"]
    assert callable(receive)
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"behind"})


def ask(door: Door, method: str, path: str, body: bytes = b"") -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://mall") as client:
            return await client.request(method, path, content=body)

    return asyncio.run(once())


def broken(home: Home) -> str:
    folder = Publication.open_current(home.publications).folder
    bad = folder.with_name("bad")
    shutil.copytree(folder, bad)
    (bad / "popular.npy").write_bytes(b"x")
    point(home.publications, bad.name)
    return bad.name


def test_it_takes_the_current_publication_and_only_once(home: Home) -> None:
    counted = Counted()
    state = State(home, counted)
    assert not state.follow()
    with pytest.raises(MissingError):
        _ = state.publication
    folder = write_publication(home.publications, content())
    assert state.follow()
    assert not state.follow()
    assert state.publication.folder == folder
    assert counted.days == [state.publication.as_of.number]


def test_a_refused_publication_is_told_once_and_tried_again_now_and_then(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    state = State(home, counted)
    good = write_publication(home.publications, content())
    state.follow()
    name = broken(home)
    with caplog.at_level(logging.ERROR, logger="recsys.serving"):
        for _ in range(3 * RETRY_POLLS):
            assert not state.follow()
    assert state.publication.folder == good
    assert state.refusal is not None
    assert state.refusal.publication == name
    assert "popular.npy" in state.refusal.reason
    assert counted.refusals == len(caplog.records) == 1
    shutil.copy(good / "popular.npy", home.publications / name / "popular.npy")
    assert sum(state.follow() for _ in range(2 * RETRY_POLLS)) == 1
    assert state.publication.name == name
    assert state.refusal is None


def test_a_request_keeps_the_publication_it_began_with(home: Home) -> None:
    state = State(home, Counted())
    write_publication(home.publications, content())
    state.follow()
    held = state.publication
    row = held.members.row(member_id(3))
    assert row is not None
    write_publication(home.publications, content(seed=1))
    state.follow()
    shutil.rmtree(held.folder)
    assert state.publication is not held
    assert held.members.text(row) == member_id(3)
    assert len(held.recommend.other[held.recommend.span(row)]) == 40


def test_the_thread_follows_and_ends(home: Home) -> None:
    state = State(home, Counted())
    state.start()
    try:
        folder = write_publication(home.publications, content())
        for _ in range(100):
            if state.ready:
                break
            asyncio.run(asyncio.sleep(0.05))
        assert state.publication.folder == folder
    finally:
        state.stop()


def test_the_home_may_bring_its_own_placements(home: Home) -> None:
    own = home.root / "placements.toml"
    own.write_text('[shelf]\ntitle = "Shelf"\nsources = [{ name = "personal" }]\n')
    assert set(State(home, Counted()).placements.placements) == {"shelf"}
    own.write_text("[shelf]\n")
    with pytest.raises(ConfigError, match=r"placements\.shelf"):
        State(home, Counted())


def test_the_door_answers_counts_and_passes_on(home: Home) -> None:
    counted = Counted()
    state = State(home, counted)
    write_publication(home.publications, content())
    state.follow()
    door = Door(state, counted, behind)
    assert ask(door, "POST", "/recommend", b'{"placement": "home"}').json()["route"] == "cold"
    assert ask(door, "POST", "/recommend", b"").status_code == 400
    assert ask(door, "POST", "/audiences/preview", b'{"task": "churn", "top": 3}').json()["count"] == 3
    assert counted.statuses == [200, 400, 200]
    assert counted.routes == ["cold"]
    assert ask(door, "GET", "/elsewhere").text == "behind"
    assert ask(door, "GET", "/readyz").json()["ready"] is True


def test_what_nobody_foresaw_is_told_without_detail_and_logged_whole(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    door = Door(Failing(home, counted), counted, behind)
    with caplog.at_level(logging.ERROR, logger="recsys.serving"):
        response = ask(door, "POST", "/recommend", b'{"placement": "home"}')
    assert response.status_code == 500
    assert response.json()["error"]["field"] is None
    assert "secret" not in response.text
    assert "ZeroDivisionError" in caplog.text


def test_a_caller_who_hangs_up_is_not_answered(home: Home) -> None:
    counted = Counted()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    door = Door(State(home, counted), counted, behind)
    asyncio.run(door({"type": "http", "path": "/recommend", "method": "POST"}, receive, send))
    assert not sent
    assert not counted.statuses


def test_the_online_store_is_opened_when_it_appears(home: Home) -> None:
    row, note = OnlineRows(home.online).read("anyone")
    assert row is None
    assert note is not None
    assert "recsys materialize" in note
