"""What a running service does while things around it change, break, are too much, or are gone."""

import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.core.folders import MANIFEST, point
from tests.publications import content, member_id, product_id
from tests.serving_process import Running, serve_command, serving
from tests.watching import counter, ready, until

SWAPS = 50
ASK = {"placement": "home", "member_id": member_id(1), "k": 10}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    return home


@pytest.fixture(scope="module")
def running(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(serve_command(), home.root, tmp_path_factory.mktemp("serve")) as service:
        yield service


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=10) as client:
        yield client


@pytest.fixture
def statuses(running: Running) -> Iterator[list[int]]:
    """Ask all the time while a test runs; what came back."""
    found: list[int] = []
    done = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=running.url, timeout=10) as own:
            while not done.is_set():
                found.append(own.post("/recommend", json=ASK).status_code)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_fifty_swaps_under_load_fail_no_request(client: httpx.Client, home: Home, statuses: list[int]) -> None:
    folders = [write_publication(home.publications, content(seed=seed)) for seed in (1, 2)]
    for swap in range(SWAPS):
        name = folders[swap % 2].name
        point(home.publications, name)
        until(lambda name=name: ready(client)["publication"] == name)  # type: ignore[misc]
    assert set(statuses) == {200}
    assert len(statuses) > SWAPS
    assert counter(client, 'recsys_publications_total{result="taken"}') >= SWAPS


def _cut(folder: Path) -> None:
    whole = (folder / "recommend_score.npy").read_bytes()
    (folder / "recommend_score.npy").write_bytes(whole[: len(whole) // 2])


def _without_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _half_written(folder: Path) -> None:
    for path in sorted(folder.iterdir())[::2]:
        path.unlink()


def _other_schema(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["format"] = 999
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("harm", [_cut, _without_manifest, _half_written, _other_schema])
def test_a_publication_that_is_not_whole_is_refused_and_the_old_one_goes_on(
    client: httpx.Client, running: Running, home: Home, statuses: list[int], harm: Callable[[Path], None]
) -> None:
    good = ready(client)["publication"]
    refusals = counter(client, 'recsys_publications_total{result="refused"}')
    bad = home.publications / f"2025-04-01-{harm.__name__.strip('_')}"
    shutil.copytree(home.publications / good, bad)
    harm(bad)
    point(home.publications, bad.name)
    until(lambda: (ready(client)["refused"] or {}).get("publication") == bad.name)
    told = ready(client)
    assert (told["ready"], told["publication"]) == (True, good)
    assert told["refused"]["reason"]
    assert counter(client, 'recsys_publications_total{result="refused"}') == refusals + 1
    assert bad.name in running.log.read_text(encoding="utf-8")
    point(home.publications, good)
    until(lambda: ready(client)["refused"] is None)
    assert set(statuses) == {200}


def test_placements_are_read_again_when_they_change_and_kept_when_they_are_wrong(
    client: httpx.Client, home: Home
) -> None:
    own = home.root / "placements.toml"
    usual = (Path(__file__).parents[2] / "serving" / "placements.toml").read_text(encoding="utf-8")
    shelf = '\n[shelf]\ntitle = "Shelf"\nsources = [{ name = "popular" }]\n'
    body = {"placement": "shelf", "k": 3}
    assert client.post("/recommend", json=body).status_code == 422
    own.write_text(usual + shelf, encoding="utf-8")
    until(lambda: client.post("/recommend", json=body).status_code == 200)
    assert (
        "shelf" in json.dumps(client.get("/docs.json").json()) or client.post("/recommend", json=body).json()["items"]
    )
    refusals = counter(client, 'recsys_placements_total{result="refused"}')
    own.write_text(usual + shelf.replace("popular", "magic"), encoding="utf-8")
    until(lambda: ready(client)["placements_refused"] is not None)
    assert "shelf" in ready(client)["placements_refused"]["setting"]
    assert client.post("/recommend", json=body).status_code == 200
    assert counter(client, 'recsys_placements_total{result="refused"}') == refusals + 1
    own.unlink()
    until(lambda: client.post("/recommend", json=body).status_code == 422)
    assert ready(client)["placements_refused"] is None


def view(event_id: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    event = {"event_id": event_id, "type": "view", "member_id": member_id(1), "product_id": product_id(30)}
    return {"events": [event | {"occurred_at": now}]}


def live_files(home: Home) -> list[Path]:
    return list(home.live.rglob("data.mdb"))


def test_without_the_live_store_answers_degrade_say_so_are_counted_and_recover(
    client: httpx.Client, home: Home, statuses: list[int]
) -> None:
    assert client.post("/events", json=view("v1")).status_code == 202
    until(lambda: bool(live_files(home)))
    folder = live_files(home)[0].parent
    spoilt = folder.with_name("spoilt")
    time.sleep(1)  # the service looks twice a second whether the file is there
    folder.rename(spoilt)

    def degraded() -> bool:
        answer = client.post("/recommend", json=ASK).json()
        return any(step["step"] == "published" for step in answer["fallbacks"])

    until(degraded)
    assert "live" in ready(client)["without"]
    assert ready(client)["ready"]
    assert counter(client, 'recsys_fallbacks_total{placement="home",step="published"') > 0
    assert counter(client, 'recsys_store_usable{store="live"}') == 0
    if not folder.exists():
        spoilt.rename(folder)
    until(lambda: not degraded())
    assert "live" not in ready(client)["without"]
    assert set(statuses) == {200}


def test_while_the_database_takes_nothing_events_are_refused_in_time_and_recommendations_go_on(
    client: httpx.Client, home: Home, statuses: list[int]
) -> None:
    assert client.post("/events", json=view("v2")).status_code == 202
    with closing(sqlite3.connect(home.root / "recsys.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = len(statuses)
        refused = client.post("/events", json=view("v3"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert client.post("/recommend", json=ASK).status_code == 200
        other.execute("ROLLBACK")
    assert len(statuses) > before
    until(lambda: client.post("/events", json=view("v3")).status_code == 202)
    assert set(statuses) == {200}


def test_overload_is_shed_with_a_time_to_come_again_and_is_over_when_it_ends(
    client: httpx.Client, running: Running
) -> None:
    body = json.dumps({"task": "churn", "top": 20}).encode()
    head = f"POST /audiences/preview HTTP/1.1\r\nhost: mall\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    port = int(running.url.rpartition(":")[2])

    def ask(_: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(head.encode() + body)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    with ThreadPoolExecutor(200) as crowd:
        answers = list(crowd.map(ask, range(400)))
    statuses = {answer.split()[1] for answer in answers}
    assert b"200" in statuses
    assert statuses <= {b"200", b"503"}
    shed = [answer for answer in answers if answer.split()[1] == b"503"]
    assert all(b"retry-after: 1" in answer for answer in shed)
    assert client.post("/recommend", json=ASK).status_code == 200


def test_bodies_that_never_come_do_not_hold_up_others(client: httpx.Client, running: Running) -> None:
    port = int(running.url.rpartition(":")[2])
    head = b"POST /recommend HTTP/1.1\r\nhost: mall\r\ncontent-length: 50\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert client.post("/recommend", json=ASK).status_code == 200
    finally:
        for connection in slow:
            connection.close()
    assert client.post("/recommend", json=ASK).status_code == 200


def test_no_answer_and_no_line_of_the_log_says_more_than_it_should(running: Running) -> None:
    lines = running.log.read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert told
    assert member_id(1) not in "\n".join(lines)
    assert not any("Traceback" in line for line in lines)
