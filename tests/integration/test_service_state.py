import asyncio
import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from recsys.answers.desk import Desk
from recsys.answers.recommend import Answered
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.core.errors import MissingError
from recsys.core.folders import MANIFEST, POINTER, point
from recsys.store.events import Event
from recsys.store.live_fold import Credit
from recsys.store.packed import PackedStore
from serving.body import Message, Receive
from serving.door import Door, Scope, Send
from serving.online import ABSENT, NO_ROW, STALE, UNREADABLE, OnlineRows
from serving.state import RETRY_POLLS, State
from tests.publications import content, member_id


class Counted:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.days: list[int] = []
        self.refusals = 0
        self.routes: list[str] = []
        self.files: list[bool] = []
        self.stores: dict[str, bool] = {}
        self.events = self.duplicates = self.events_broken = 0

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        assert endpoint
        assert seconds >= 0
        self.statuses.append(status)

    def recommended(self, answer: Answered) -> None:
        self.routes.append(str(answer.route))

    def give(self) -> None:
        raise AssertionError("nobody asked for metrics")

    def swapped(self, as_of_number: int) -> None:
        self.days.append(as_of_number)

    def refused(self) -> None:
        self.refusals += 1

    def placements(self, *, taken: bool) -> None:
        self.files.append(taken)

    def store(self, name: str, *, usable: bool) -> None:
        self.stores[name] = usable

    def recorded(self, events: Sequence[Event], owed: Sequence[Credit], *, duplicates: int) -> None:
        self.events += len(events)
        self.duplicates += duplicates

    def events_refused(self, n: int) -> None:
        self.events_broken += n


class Failing(State):
    """A state that breaks in a way nobody foresaw."""

    def __init__(self, home: Home, watcher: Counted, error: Exception) -> None:
        super().__init__(home, watcher)
        self._error = error
        self.keyring.read()

    @property
    def desk(self) -> Desk:
        raise self._error


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def watching(home: Home, counted: Counted) -> State:
    """A state that has read the keys, of which there are none."""
    state = State(home, counted)
    state.keyring.read()
    return state


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


def test_the_door_answers_counts_and_passes_on(home: Home) -> None:
    counted = Counted()
    state = watching(home, counted)
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
    door = Door(Failing(home, counted, ZeroDivisionError("secret detail")), counted, behind)
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

    door = Door(watching(home, counted), counted, behind)
    asyncio.run(door({"type": "http", "path": "/recommend", "method": "POST", "headers": []}, receive, send))
    assert not sent
    assert not counted.statuses


def test_a_service_that_breaks_by_a_lost_connection_is_told_too(home: Home) -> None:
    counted = Counted()
    door = Door(Failing(home, counted, ConnectionResetError("to some store")), counted, behind)
    assert ask(door, "POST", "/recommend", b'{"placement": "home"}').status_code == 500
    assert counted.statuses == [500]


def test_the_pointer_going_back_to_what_is_served_ends_the_refusal(home: Home) -> None:
    state = State(home, Counted())
    good = write_publication(home.publications, content())
    state.follow()
    broken(home)
    state.follow()
    assert state.refusal is not None
    point(home.publications, good.name)
    assert not state.follow()
    assert state.refusal is None


def _no_text(home: Home) -> None:
    (home.publications / POINTER).write_bytes(b"\xff\xfe")


def _a_folder(home: Home) -> None:
    point(home.publications, "a")
    (home.publications / "a").mkdir()
    (home.publications / "a" / MANIFEST).mkdir()


def _no_path(home: Home) -> None:
    point(home.publications, "a\0b")


def _too_long(home: Home) -> None:
    point(home.publications, "a" * 5000)


@pytest.mark.parametrize("harm", [_no_text, _a_folder, _no_path, _too_long])
def test_whatever_cannot_be_read_is_a_refusal_and_never_a_crash(
    home: Home, harm: Callable[[Home], None], caplog: pytest.LogCaptureFixture
) -> None:
    home.publications.mkdir(parents=True)
    harm(home)
    counted = Counted()
    state = State(home, counted)
    with caplog.at_level(logging.ERROR, logger="recsys.serving"):
        for _ in range(3):
            assert not state.follow()
    assert len(caplog.records) == counted.refusals == 1
    response = ask(Door(state, counted, behind), "GET", "/readyz")
    assert response.status_code == 503
    assert response.json()["refused"]["reason"]
    assert str(home.root) not in response.text
    good = write_publication(home.publications, content())
    assert state.follow()
    assert state.publication.folder == good


def test_the_api_page_is_built_once_a_publication_and_shows_a_placement_in_force(home: Home) -> None:
    (home.root / "placements.toml").write_text('[shelf]\ntitle = "Shelf"\nsources = [{ name = "personal" }]\n')
    state = watching(home, Counted())
    door = Door(state, Counted(), behind)
    bare = ask(door, "GET", "/docs.json").json()
    write_publication(home.publications, content())
    state.follow()
    told = ask(door, "GET", "/docs.json")
    operation = told.json()["paths"]["/recommend"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["example"]["placement"] == "shelf"
    assert {"405", "500"} <= set(operation["responses"])
    assert bare["info"]["version"] == "none"
    state._publication = dataclasses.replace(state.publication, categories=())
    assert ask(door, "GET", "/docs.json").content == told.content


def test_other_methods_are_told_which_are_taken(home: Home) -> None:
    door = Door(watching(home, Counted()), Counted(), behind)
    assert ask(door, "PUT", "/recommend").headers["allow"] == "POST"
    assert ask(door, "PUT", "/members/a/predictions").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("sent", [{"placement": "home", **{f"k{n}": 1 for n in range(20_000)}}, {"x" * 100_000: 1}])
def test_an_answer_to_a_broken_request_is_short(home: Home, sent: dict[str, object]) -> None:
    door = Door(watching(home, Counted()), Counted(), behind)
    response = ask(door, "POST", "/recommend", json.dumps(sent).encode())
    assert response.status_code == 422
    assert len(response.content) < 1000


def test_of_a_list_only_the_first_wrong_entry_is_built(home: Home) -> None:
    door = Door(watching(home, Counted()), Counted(), behind)
    for path, field in (("/recommend", "exclude"), ("/rank", "products")):
        sent = {"placement": "home", field: [1] * 200} if path == "/recommend" else {field: [1] * 200}
        assert ask(door, "POST", path, json.dumps(sent).encode()).json()["error"]["field"] == f"{field}.0"


@pytest.mark.parametrize(("member", "status"), [("a" * 256, 404), ("a" * 257, 422), ("", 422)])
def test_an_id_of_the_path_is_held_to_the_limits_of_ids(home: Home, member: str, status: int) -> None:
    state = watching(home, Counted())
    write_publication(home.publications, content())
    state.follow()
    response = ask(Door(state, Counted(), behind), "GET", f"/members/{member}/predictions")
    assert (response.status_code, response.json()["error"]["field"]) == (status, "member_id")
    assert len(response.json()["error"]["rule"]) <= 200


class TestOnlineRows:
    AT = datetime(2025, 4, 1, 8, tzinfo=UTC)

    def store(self, home: Home, points: float) -> None:
        row = pa.Table.from_pylist([{"member_id": "a", "points": points, "event_timestamp": self.AT}])
        PackedStore(home.online).write("member", row, keys=["member_id"], event="event_timestamp")

    def test_the_store_is_opened_when_it_appears(self, home: Home) -> None:
        online = OnlineRows(home.online, Counted())
        assert online.read("a", self.AT) == (None, ABSENT)
        self.store(home, 1)
        row, note = online.read("a", self.AT)
        assert note is None
        assert row is not None
        assert (row.source, row.timestamp, row.values) == ("online", "2025-04-01T08:00:00+00:00", {"points": 1.0})
        assert online.read("b", self.AT) == (None, NO_ROW)

    def test_a_row_older_than_the_publication_is_not_taken(self, home: Home) -> None:
        self.store(home, 1)
        assert OnlineRows(home.online, Counted()).read("a", self.AT + timedelta(seconds=1)) == (None, STALE)

    def test_a_store_that_was_replaced_is_opened_anew(self, home: Home) -> None:
        self.store(home, 1)
        online = OnlineRows(home.online, Counted())
        assert online.read("a", self.AT)[0] is not None
        other = Home(home.root / "other")
        self.store(other, 2)
        home.online.rename(home.root / "old")
        other.online.rename(home.online)
        row, _ = online.read("a", self.AT)
        assert row is not None
        assert row.values == {"points": 2.0}
        shutil.rmtree(home.online)
        assert online.read("a", self.AT) == (None, ABSENT)

    def test_a_broken_store_is_told_without_its_place_and_logged_once(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        home.online.mkdir(parents=True)
        (home.online / "data.mdb").write_bytes(b"x" * 8192)
        online = OnlineRows(home.online, Counted())
        with caplog.at_level(logging.ERROR, logger="recsys.serving"):
            for _ in range(3):
                assert online.read("a", self.AT) == (None, UNREADABLE)
        assert len(caplog.records) == 1
        assert str(home.online) in caplog.text
        (home.online / "data.mdb").unlink()
        self.store(home, 3)
        deadline = time.monotonic() + 10
        while online.read("a", self.AT)[0] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        online.stop()
