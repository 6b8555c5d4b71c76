"""Keys and their roles at the door of a running service of two workers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.benchmarks.machine import children
from tests.publications import content, member_id
from tests.serving_process import Running, serve_command, serving
from tests.watching import until

ASK = {"placement": "home", "member_id": member_id(1), "k": 3}
TWICE = 12
"""So many requests reach both workers almost surely."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    return home


@pytest.fixture(scope="module")
def running(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(serve_command(), home.root, folder, more={"RECSYS_WORKERS": "2"}) as service:
        yield service


def recsys(home: Home, *words: str) -> str:
    """Run the command; what it answers on standard output."""
    environment = {**os.environ, "RECSYS_HOME": str(home.root)}
    command = [str(Path(sys.executable).parent / "recsys"), *words]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return told.stdout.strip()


def make(home: Home, role: str, *more: str) -> str:
    return recsys(home, "keys", "create", f"for {role}", "--role", role, *more)


def post(running: Running, path: str, body: object, **headers: str) -> httpx.Response:
    """Post over a connection of its own, so that any worker may take it."""
    return httpx.post(running.url + path, json=body, headers=headers, timeout=10)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def everywhere(running: Running, path: str, body: object, **headers: str) -> set[int]:
    return {post(running, path, body, **headers).status_code for _ in range(TWICE)}


def mapped(pid: int) -> str:
    """What a process has loaded; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except OSError:
        return ""


def test_the_fast_loop_and_parser_are_in_use(running: Running) -> None:
    def workers() -> list[str]:
        return [text for text in map(mapped, children(running.pid)) if "uvloop" in text]

    until(lambda: len(workers()) == 2)  # one answers while the other still starts
    assert all("httptools" in text for text in workers())


def test_the_first_key_shuts_the_door_and_each_role_has_its_own(running: Running, home: Home) -> None:
    assert everywhere(running, "/recommend", ASK) == {200}
    mall = make(home, "mall")
    until(lambda: everywhere(running, "/recommend", ASK) == {401})
    ops = make(home, "ops")
    until(lambda: everywhere(running, "/audiences/preview", {"task": "churn"}, **bearer(ops)) == {200})
    refused = post(running, "/recommend", ASK)
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert set(refused.json()["error"]) == {"field", "rule"}
    assert everywhere(running, "/recommend", ASK, **bearer(mall)) == {200}
    assert everywhere(running, "/recommend", ASK, **{"x-api-key": mall}) == {200}
    assert everywhere(running, "/audiences/preview", {"task": "churn"}, **bearer(mall)) == {403}
    card = f"{running.url}/members/{member_id(1)}/predictions"
    assert httpx.get(card, headers=bearer(mall), timeout=10).status_code == 403
    assert httpx.get(card, headers=bearer(ops), timeout=10).status_code == 200
    for path in ("/healthz", "/livez", "/readyz", "/metrics", "/docs", "/docs.json"):
        assert httpx.get(running.url + path, timeout=10).status_code == 200
    listed = recsys(home, "keys", "list")
    assert mall.split("_", 2)[1] in listed
    assert mall.split("_", 2)[2] not in listed


def test_no_other_way_leads_around_the_door(running: Running, home: Home) -> None:
    make(home, "mall")
    until(lambda: everywhere(running, "/recommend", ASK) == {401})
    for path in ("/recommend/", "//recommend", "/recommend;x", "/./recommend", "/RECOMMEND", "/%72ecommend"):
        assert post(running, path, ASK).status_code in (401, 404)
        assert post(running, path, {"request": ASK}).status_code in (401, 404)


def test_a_revoked_key_is_soon_refused_by_all_workers(running: Running, home: Home) -> None:
    key = make(home, "mall")
    until(lambda: everywhere(running, "/recommend", ASK, **bearer(key)) == {200})
    recsys(home, "keys", "revoke", key.split("_", 2)[1])
    until(lambda: everywhere(running, "/recommend", ASK, **bearer(key)) == {401})


def test_a_keys_rate_is_held_and_tells_when_to_come_again(running: Running, home: Home) -> None:
    key = make(home, "mall", "--rate", "0.1")
    until(lambda: post(running, "/recommend", ASK, **bearer(key)).status_code != 401)
    answers = [post(running, "/recommend", ASK, **bearer(key)) for _ in range(TWICE)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert all(0 < int(answer.headers["retry-after"]) <= 10 for answer in late)
    other = make(home, "mall")
    until(lambda: everywhere(running, "/recommend", ASK, **bearer(other)) == {200})


def test_keys_stay_in_force_while_the_database_is_gone(running: Running, home: Home) -> None:
    key = make(home, "mall")
    until(lambda: everywhere(running, "/recommend", ASK, **bearer(key)) == {200})
    (home.root / "recsys.db").rename(home.root / "away.db")
    until(lambda: "keys" in httpx.get(f"{running.url}/readyz", timeout=10).json()["without"])
    assert everywhere(running, "/recommend", ASK, **bearer(key)) == {200}
    assert everywhere(running, "/recommend", ASK) == {401}
    (home.root / "away.db").rename(home.root / "recsys.db")
    until(lambda: "keys" not in httpx.get(f"{running.url}/readyz", timeout=10).json()["without"])


def test_the_log_holds_no_key(running: Running, home: Home) -> None:
    key = make(home, "mall")
    post(running, "/recommend", ASK, **bearer(key))
    assert key.split("_", 2)[2] not in running.log.read_text(encoding="utf-8")
