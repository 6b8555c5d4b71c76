import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from recsys.answers.identity import make
from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.events import EventRow, after
from recsys.store.journal import Journal
from recsys.store.live import Doings, LiveReader
from tests.publications import content, member_id, product_id
from tests.serving_process import Running, serve_command, serving
from tests.watching import until

RECOMMENDATION = make("home", "a", "2025-03-31-x", "1")


@dataclass(frozen=True)
class Mall:
    """A service, its home, and the database that outlives it."""

    client: httpx.Client
    running: Running
    home: Home
    engine: Engine

    def tell(self, *events: dict[str, Any]) -> httpx.Response:
        return self.client.post("/events", json={"events": list(events)})

    def logged(self) -> int:
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(EventRow)).scalar_one()

    def did(self, member: str | None, visitor: str | None = None) -> Doings:
        return LiveReader(self.home.live).doings(member, visitor, time.time())


@pytest.fixture(scope="module")
def mall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mall]:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    with (
        serving(serve_command(), home.root, tmp_path_factory.mktemp("serve")) as running,
        httpx.Client(base_url=running.url, timeout=10) as client,
        database(home.database) as engine,
    ):
        yield Mall(client, running, home, engine)


counter = itertools.count()


def event(kind: str = "view", **changes: Any) -> dict[str, Any]:
    base = {
        "event_id": f"事件-{next(counter)}",
        "type": kind,
        "occurred_at": datetime.now(UTC).isoformat(),
        "member_id": member_id(1),
        "product_id": product_id(1),
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def test_what_is_told_is_durable_read_at_once_and_counted_once(mall: Mall) -> None:
    member = "会员-durable"
    first = event(member_id=member, product_id="p-first")
    before = mall.logged()
    answer = mall.tell(first, event("cart", member_id=member, product_id="p-cart"), first)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicates": 1, "refused": []})
    again = mall.tell(first)
    assert (again.status_code, again.json()) == (202, {"accepted": 0, "duplicates": 1, "refused": []})
    assert mall.logged() == before + 2
    did = mall.did(member)
    assert ([touch.product_id for touch in did.viewed], [touch.product_id for touch in did.cart]) == (
        ["p-first"],
        ["p-cart"],
    )


def test_a_wrong_event_is_refused_by_name_and_the_others_are_recorded(mall: Mall) -> None:
    before = mall.logged()
    answer = mall.tell(event(), event("dance"), event("search", product_id=None), event("search", query="tea"), 7)  # type: ignore[arg-type]
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], [(one["index"], one["field"]) for one in told["refused"]]) == (
        2,
        [(1, "events.1.type"), (2, "events.2.query"), (4, "events.4")],
    )
    assert mall.logged() == before + 2


LATER = (datetime.now(UTC) + timedelta(hours=3)).isoformat()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "a\0b"}, "event_id"),
        ({"event_id": "x" * 257}, "event_id"),
        ({"kind": "buy"}, "type"),
        ({"member_id": None}, "member_id"),
        ({"member_id": 7}, "member_id"),
        ({"product_id": None}, "product_id"),
        ({"occurred_at": None}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2025-03-31T08:00:00"}, "occurred_at"),
        ({"occurred_at": 1743379200}, "occurred_at"),
        ({"occurred_at": LATER}, "occurred_at"),
        ({"occurred_at": "1999-12-31T23:59:59Z"}, "occurred_at"),
        ({"kind": "impression"}, "recommendation_id"),
        ({"kind": "click", "recommendation_id": "made up"}, "recommendation_id"),
        ({"amount": 3}, "amount"),
        ({"kind": "purchase", "amount": -1}, "amount"),
        ({"kind": "purchase", "quantity": "2"}, "quantity"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_when_no_event_is_right_the_first_wrong_field_is_named(mall: Mall, changes: dict[str, Any], field: str) -> None:
    before = mall.logged()
    answer = mall.tell(event(**changes))
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, f"events.0.{field}")
    assert answer.json()["error"]["rule"]
    assert mall.logged() == before


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"events": []}, 422, "events"),
        ({"events": [{}] * 501}, 422, "events"),
        ({}, 422, "events"),
        ({"events": {}}, 422, "events"),
        ({"events": [{"event_id": "\ud800"}]}, 400, "body"),
        ({"events": [{f"k{n}": n for n in range(5000)}]}, 422, "events.0"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(mall: Mall, body: object, status: int, field: str) -> None:
    answer = mall.client.post("/events", content=json.dumps(body))
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
    assert len(answer.content) < 1000


def test_stock_acts_both_ways_and_outlives_the_live_store(mall: Mall) -> None:
    reader = LiveReader(mall.home.live)
    for pieces in (0, 9):
        levels = [{"product_id": product_id(2), "stock": pieces}, {"product_id": "new", "stock": 1}]
        answer = mall.client.post("/products/stock", json={"products": levels})
        assert (answer.status_code, answer.json()["taken"], answer.json()["unknown_products"]) == (200, 2, ["new"])
        assert reader.stock_version() == answer.json()["version"]
        assert reader.stock() == {product_id(2): pieces, "new": 1}
    twice = [{"product_id": "a", "stock": 1}, {"product_id": "a", "stock": 2}]
    refused = mall.client.post("/products/stock", json={"products": twice})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "products.1.product_id")


def test_impressions_clicks_and_purchases_are_counted_by_placement_and_variant(mall: Mall) -> None:
    who = {"member_id": "counted", "product_id": "p-counted"}
    mall.tell(
        event("impression", **who, recommendation_id=RECOMMENDATION),
        event("click", **who, recommendation_id=RECOMMENDATION),
        event("purchase", **who, amount=12.5),
        event("purchase", **{**who, "product_id": "never shown"}, amount=99),
    )
    metrics = mall.client.get("/metrics").text
    labels = 'placement="home",variant="a"'
    assert f"recsys_impressions_total{{{labels}}} 1.0" in metrics
    assert f"recsys_clicks_total{{{labels}}} 1.0" in metrics
    assert f'recsys_purchases_total{{after="click",{labels}}} 1.0' in metrics
    assert f'recsys_purchase_money_total{{after="click",{labels}}} 12.5' in metrics


def test_many_callers_share_commits_and_each_is_told_its_own(mall: Mall) -> None:
    def tell(n: int) -> dict[str, int]:
        with httpx.Client(base_url=mall.running.url, timeout=10) as client:
            batch = [event(event_id=f"shared-{n // 2}-{i}", member_id=f"caller-{n}") for i in range(20)]
            answer: dict[str, int] = client.post("/events", json={"events": batch}).json()
            return answer

    before = mall.logged()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(tell, range(16)))
    assert all(answer["accepted"] + answer["duplicates"] == 20 for answer in answers)
    assert sum(answer["accepted"] for answer in answers) == mall.logged() - before == 160


def test_a_log_that_is_gone_is_told_and_taken_up_again_when_it_is_back(mall: Mall) -> None:
    with mall.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO away")
    try:
        refused = mall.tell(event())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "sql" not in refused.text.lower()
    finally:
        with mall.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS events")
            connection.exec_driver_sql("ALTER TABLE away RENAME TO events")
    deadline = time.monotonic() + 10
    while mall.tell(event()).status_code != 202:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@dataclass
class Caller:
    """Sends events one batch after the other and remembers those that were accepted."""

    url: str
    name: str
    accepted: list[str]

    def run(self, stop: threading.Event) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as client:
            for n in itertools.count():
                batch = [event(event_id=f"{self.name}-{n}-{i}", member_id=self.name) for i in range(5)]
                try:
                    answer = client.post("/events", json={"events": batch})
                except httpx.HTTPError:
                    return
                if answer.status_code == 202:
                    self.accepted += [one["event_id"] for one in batch]
                if stop.is_set():
                    return


def processes(running: Running) -> list[int]:
    """Return the ids of a service's processes: the one that was started, and its children."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if running.pid in (pid, _parent(pid))]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def workers(running: Running) -> list[int]:
    """Return the processes that have the log open, as only those do that take events."""
    return [pid for pid in processes(running) if _has_open(pid, "recsys.db")]


def _has_open(pid: int, name: str) -> bool:
    try:
        return any(link.readlink().name == name for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[tuple[Running, Home]]:
    home = Home(tmp_path / "home")
    write_publication(home.publications, content())
    (tmp_path / "serve").mkdir()
    with serving(serve_command(), home.root, tmp_path / "serve", more={"RECSYS_WORKERS": "2"}) as running:
        until(lambda: len(workers(running)) == 2)
        yield running, home


def recorded(home: Home) -> set[str]:
    with database(home.database) as engine, engine.connect() as connection:
        return set(connection.scalars(select(EventRow.event_id)))


def begin(running: Running, n: int) -> tuple[list[Caller], list[threading.Thread], threading.Event]:
    stop = threading.Event()
    callers = [Caller(running.url, f"caller-{number}", []) for number in range(n)]
    threads = [threading.Thread(target=caller.run, args=(stop,)) for caller in callers]
    for thread in threads:
        thread.start()
    return callers, threads, stop


def end(threads: Sequence[threading.Thread], stop: threading.Event) -> None:
    stop.set()
    for thread in threads:
        thread.join()


def test_the_next_answers_of_all_workers_follow_what_was_told(two_workers: tuple[Running, Home]) -> None:
    running, _ = two_workers
    member = member_id(3)

    def post(path: str, body: object) -> httpx.Response:
        return httpx.post(f"{running.url}{path}", json=body, timeout=10)  # a connection of its own: any worker

    def answers() -> list[list[str]]:
        body = {"placement": "home", "member_id": member, "k": 20}
        return [[item["product_id"] for item in post("/recommend", body).json()["items"]] for _ in range(12)]

    (before,) = {tuple(answer) for answer in answers()}
    sold, viewed = before[0], before[10]
    assert post("/products/stock", {"products": [{"product_id": sold, "stock": 0}]}).status_code == 200
    assert all(sold not in answer for answer in answers())
    assert post("/products/stock", {"products": [{"product_id": sold, "stock": 3}]}).status_code == 200
    assert {tuple(answer) for answer in answers()} == {before}
    views = [event(event_id=f"next-{n}", member_id=member, product_id=viewed) for n in range(3)]
    assert post("/events", {"events": views}).status_code == 202
    assert all(tuple(answer) != before for answer in answers())
    bought = event("purchase", event_id="next-bought", member_id=member, product_id=product_id(9))
    assert post("/events", {"events": [bought]}).status_code == 202
    assert all(product_id(9) not in answer for answer in answers())


def test_killing_every_process_loses_nothing_that_was_accepted(two_workers: tuple[Running, Home]) -> None:
    running, home = two_workers
    callers, threads, stop = begin(running, 4)
    until(lambda: all(len(caller.accepted) >= 50 for caller in callers))
    for pid in processes(running):
        os.kill(pid, signal.SIGKILL)
    end(threads, stop)
    kept = recorded(home)
    for caller in callers:
        assert set(caller.accepted) <= kept
    with database(home.database) as engine:
        journal = Journal(engine, home.live)
        while journal.follow("Asia/Shanghai"):
            pass
        with engine.connect() as connection:
            newest = after(connection, 0, 1_000_000)[-1][1]
    did = LiveReader(home.live).doings(newest.member_id, None, time.time())
    assert did.viewed[0].at == newest.at


def test_killing_one_worker_loses_nothing_and_the_other_goes_on(two_workers: tuple[Running, Home]) -> None:
    running, home = two_workers
    for round_ in range(3):
        callers, threads, stop = begin(running, 4)
        until(lambda callers=callers: sum(len(caller.accepted) for caller in callers) >= 200)  # type: ignore[misc]
        os.kill(workers(running)[round_ % 2], signal.SIGKILL)
        end(threads, stop)
        with httpx.Client(base_url=running.url, timeout=10) as client:
            answer = client.post("/events", json={"events": [event(event_id=f"after-{round_}", member_id="after")]})
        assert answer.status_code == 202
        kept = recorded(home)
        for caller in callers:
            assert set(caller.accepted) <= kept
        until(lambda: bool(LiveReader(home.live).doings("after", None, time.time()).viewed))  # it may catch up first
        until(lambda: len(workers(running)) == 2)
