import csv
import hashlib
import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.core.webhook import signed_well
from recsys.store.database import database
from recsys.store.keys import Role, create_key
from tests.crowd import crowd
from tests.postgres import empty_database
from tests.publications import content, member_id
from tests.receiver import Receiver
from tests.serving_process import Running, serve_command, serving
from tests.watching import until

LEAVING = {"score": "churn", "min": 0.5}
SECRET = "between-us"


@dataclass(frozen=True)
class Shop:
    """A service with a key of each role, and the database that it keeps audiences in."""

    running: Running
    url: str
    home: Home
    keys: dict[Role, str]

    def client(self, role: Role = Role.OPS) -> httpx.Client:
        return httpx.Client(
            base_url=self.running.url, timeout=60, headers={"authorization": f"Bearer {self.keys[role]}"}
        )


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    if request.param == "sqlite":
        yield from _shop(home, home.database, tmp_path_factory.mktemp("serve"))
        return
    with empty_database(request.getfixturevalue("postgres")) as url:
        yield from _shop(home, url, tmp_path_factory.mktemp("serve"))


def _shop(home: Home, url: str, folder: Path) -> Iterator[Shop]:
    with database(url) as engine:
        made = {role: create_key(engine, f"{role} 王芳", role, per_second=None, at=datetime.now(UTC)) for role in Role}
    more = {"RECSYS_DATABASE_URL": url, "RECSYS_WORKERS": "2", "CRM_SECRET": SECRET}
    with serving(serve_command(), home.root, folder, more=more) as running:
        yield Shop(running, url, home, {role: shown for role, (_, shown) in made.items()})


@pytest.fixture
def ops(shop: Shop) -> Iterator[httpx.Client]:
    with shop.client() as client:
        yield client


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:80]


def create(client: httpx.Client, name: str, **more: Any) -> dict[str, Any]:
    response = client.post("/audiences", json={"name": name, "rule": LEAVING, "pressure": None, **more})
    assert response.status_code == 201, response.text
    told: dict[str, Any] = response.json()
    return told


def logged(shop: Shop, subject: str) -> list[dict[str, Any]]:
    with shop.client(Role.ADMIN) as admin:
        lines: list[dict[str, Any]] = admin.get("/audit", params={"subject": subject}).json()["lines"]
    return [line for line in lines if line["action"] != "audit"]


def test_an_audience_is_made_seen_and_taken_away_in_each_format(shop: Shop, ops: httpx.Client, name: str) -> None:
    made = create(ops, name)
    audience_id, version = made["audience_id"], made["versions"][0]
    treated = version["counts"]["treated"]
    assert version["counts"]["members"] == treated + version["counts"]["held_out"] == 19
    card = next(one for one in ops.get("/audiences").json()["audiences"] if one["audience_id"] == audience_id)
    assert (card["name"], card["status"], card["treated"]) == (name, "live", treated)
    seen = ops.get(f"/audiences/{audience_id}").json()
    assert seen == made

    files = {kind: ops.get(f"/audiences/{audience_id}/export", params={"format": kind}) for kind in version["sizes"]}
    rows = {
        "csv": list(csv.DictReader(io.StringIO(files["csv"].content.decode("utf-8-sig"), newline=""))),
        "jsonl": [json.loads(line) for line in files["jsonl"].content.splitlines()],
        "parquet": pq.read_table(io.BytesIO(files["parquet"].content)).to_pylist(),
    }
    for kind, found in rows.items():
        assert [row["member_id"] for row in found] == [row["member_id"] for row in rows["jsonl"]]
        assert {row["arm"] for row in found} == {"treated"}
        headers = files[kind].headers
        assert (headers["x-recsys-members"], len(found)) == (str(treated), treated)
        assert f"{audience_id}-v1-treated.{kind}" in headers["content-disposition"]
        if kind != "parquet":
            assert abs(int(headers["x-recsys-expected-bytes"]) / len(files[kind].content) - 1) < 0.05
    held = ops.get(f"/audiences/{audience_id}/export", params={"format": "jsonl", "arm": "held_out"}).content
    assert len(held.splitlines()) == version["counts"]["held_out"]

    lines = logged(shop, audience_id)
    assert [line["action"] for line in lines][-2:] == ["view", "create"]
    assert {(line["who"], line["role"]) for line in lines} == {("ops 王芳", "ops")}
    began = [line for line in lines if line["action"] == "export"]
    assert sorted(line["told"]["format"] for line in began) == ["csv", "jsonl", "jsonl", "parquet"]
    assert [line["told"]["whole"] for line in lines if line["action"] == "exported"] == [True] * 4


def test_the_mall_and_strangers_are_refused_and_only_admins_read_the_log(shop: Shop, name: str) -> None:
    with shop.client() as ops:
        audience_id = create(ops, name)["audience_id"]
    asks = [
        ("GET", "/audiences"),
        ("POST", "/audiences"),
        ("GET", "/audiences/templates"),
        ("GET", f"/audiences/{audience_id}"),
        ("GET", f"/audiences/{audience_id}/export"),
        ("POST", f"/audiences/{audience_id}/export"),
        ("POST", f"/audiences/{audience_id}/end"),
        ("POST", "/audiences/lookalike"),
        ("GET", "/audit"),
    ]
    with shop.client(Role.MALL) as mall, httpx.Client(base_url=shop.running.url) as stranger, shop.client() as ops:
        for method, path in asks:
            assert mall.request(method, path, json={} if method == "POST" else None).status_code == 403
            assert stranger.request(method, path, json={} if method == "POST" else None).status_code == 401
        assert ops.get("/audit").status_code == 403
    assert [line["action"] for line in logged(shop, audience_id)] == ["create"]


def test_the_next_version_is_of_the_same_and_an_ended_audience_has_none(ops: httpx.Client, name: str) -> None:
    made = create(ops, name, hold_out=0.2)
    audience_id = made["audience_id"]
    again = ops.post("/audiences", json={"audience_id": audience_id})
    assert again.status_code == 201
    second, first = again.json()["versions"]
    assert (second["version"], first["version"], first["status"]) == (2, 1, "superseded")
    assert (second["asked"], second["counts"]) == (first["asked"], first["counts"])
    old = ops.get(f"/audiences/{audience_id}/export", params={"version": 1, "format": "jsonl"})
    assert old.content == ops.get(f"/audiences/{audience_id}/export", params={"format": "jsonl"}).content
    ended = ops.post(f"/audiences/{audience_id}/end", json={})
    assert ended.json()["versions"][0]["status"] == "ended"
    assert ops.post("/audiences", json={"audience_id": audience_id}).status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"rule": LEAVING}, 422, "name"),
        ({"name": "x"}, 422, "rule"),
        ({"name": "x", "rule": {"score": "no-such"}}, 422, "rule.score"),
        ({"name": "x", "rule": {"all": [{"tag": "no-such", "is": ["a"]}]}}, 404, "rule.all.0.tag"),
        ({"name": "x", "rule": LEAVING, "template": "win_back"}, 422, "rule"),
        ({"name": "x", "rule": LEAVING, "lookalike": {"members": ["a"], "size": 1}}, 422, "rule"),
        ({"name": "x", "rule": LEAVING, "hold_out": 0.6}, 422, "hold_out"),
        ({"name": "x", "rule": LEAVING, "pressure": {"days": 0}}, 422, "pressure.days"),
        ({"name": "x", "rule": LEAVING, "live_days": 0}, 422, "live_days"),
        ({"name": "x", "lookalike": {"members": ["a"], "size": 1}}, 422, "members"),
        ({"audience_id": "no-such"}, 404, "audience_id"),
        ({"name": "x", "rule": LEAVING, "more": 1}, 422, "more"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    ops: httpx.Client, body: dict[str, Any], status: int, field: str
) -> None:
    before = len(ops.get("/audiences").json()["audiences"])
    response = ops.post("/audiences", json=body)
    assert (response.status_code, response.json()["error"]["field"]) == (status, field), response.text
    assert len(ops.get("/audiences").json()["audiences"]) == before


@pytest.mark.parametrize(
    ("path", "params", "status", "field"),
    [
        ("/audiences/no-such", {}, 404, "audience_id"),
        ("/audiences/no-such/export", {}, 404, "audience_id"),
        ("/audiences/{id}/export", {"version": 9}, 404, "version"),
        ("/audiences/{id}/export", {"format": "xls"}, 422, "format"),
        ("/audiences/{id}/export", {"arm": "both"}, 422, "arm"),
    ],
)
def test_what_is_not_there_is_named(
    ops: httpx.Client, name: str, path: str, params: dict[str, Any], status: int, field: str
) -> None:
    audience_id = create(ops, name)["audience_id"]
    response = ops.get(path.replace("{id}", audience_id), params=params)
    assert (response.status_code, response.json()["error"]["field"]) == (status, field)


def test_one_name_asked_for_many_times_at_once_is_one_audience(shop: Shop, name: str) -> None:
    def ask(_: int) -> int:
        with shop.client() as client:
            return client.post("/audiences", json={"name": name, "rule": LEAVING, "pressure": None}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(ask, range(6))) == [201] + [422] * 5
    with shop.client() as ops:
        assert [one["name"] for one in ops.get("/audiences").json()["audiences"]].count(name) == 1


def test_a_preview_tells_the_overlap_with_live_audiences_and_is_logged(
    shop: Shop, ops: httpx.Client, name: str
) -> None:
    treated = create(ops, name)["versions"][0]["counts"]["treated"]
    told = ops.post("/audiences/preview", json={"rule": LEAVING, "sample": 2}).json()
    assert {(one["audience"], one["count"]) for one in told["overlaps"]} >= {(name, treated)}
    with shop.client(Role.ADMIN) as admin:
        line = admin.get("/audit", params={"action": "preview", "limit": 1}).json()["lines"][0]
    assert (line["who"], line["members"], line["told"]["shown"]) == ("ops 王芳", told["count"], 2)
    assert line["told"]["asked"]["rule"] == LEAVING


def test_templates_tell_what_they_ask_and_can_be_made(ops: httpx.Client, name: str) -> None:
    templates = ops.get("/audiences/templates").json()["templates"]
    assert "repurchase_reminder" in {one["template"] for one in templates}
    assert all(one["zh"] and one["en"] and one["questions"] for one in templates)
    response = ops.post("/audiences", json={"name": name, "template": "repurchase_reminder"})
    assert response.status_code == 201
    assert response.json()["versions"][0]["asked"]["spec"]["template"] == "repurchase_reminder"


class TestCallback:
    @pytest.fixture
    def crm(self, shop: Shop) -> Iterator[Receiver]:
        """Return a receiver that `callbacks.toml` names crm."""
        tool = Receiver([204])
        receivers = f'[crm]\nurl = "{tool.url}"\nsecret_env = "CRM_SECRET"\n'
        shop.home.callbacks.write_text(receivers, encoding="utf-8")
        yield tool
        tool.stop()

    def test_a_package_is_sent_signed(self, shop: Shop, ops: httpx.Client, crm: Receiver, name: str) -> None:
        audience_id = create(ops, name)["audience_id"]
        path = f"/audiences/{audience_id}/export"
        told = ops.post(path, json={"callback": "crm", "format": "jsonl"})
        assert told.status_code == 200, told.text
        ((_, headers, body),) = crm.got
        assert signed_well(body, SECRET, headers, now=time.time())
        assert body == ops.get(path, params={"format": "jsonl"}).content
        assert told.json()["digest"] == hashlib.sha256(body).hexdigest()
        assert logged(shop, audience_id)[2]["told"]["way"] == "crm"
        unknown = ops.post(path, json={"callback": "elsewhere"})
        assert (unknown.status_code, unknown.json()["error"]["field"]) == (404, "callback")

    def test_a_receiver_that_is_away_is_told(self, shop: Shop, ops: httpx.Client, name: str) -> None:
        shop.home.callbacks.write_text(
            '[crm]\nurl = "http://127.0.0.1:9/in"\nsecret_env = "CRM_SECRET"\n', encoding="utf-8"
        )
        audience_id = create(ops, name)["audience_id"]
        told = ops.post(f"/audiences/{audience_id}/export", json={"callback": "crm"})
        assert (told.status_code, told.json()["error"]["field"]) == (502, "callback")


def test_members_who_opt_out_later_are_left_out_of_exports(shop: Shop, ops: httpx.Client, name: str) -> None:
    audience_id = create(ops, name, hold_out=0.0)["audience_id"]
    path = f"/audiences/{audience_id}/export"
    assert member_id(37) in ops.get(path).text
    whole = content(seed=1)
    write_publication(shop.home.publications, replace(whole, opted_out=(*whole.opted_out, member_id(37))))
    until(lambda: all(ops.get(path).headers["x-recsys-withheld"] == "1" for _ in range(8)))
    assert member_id(37) not in ops.get(path).text


def test_without_the_database_nothing_is_shown_and_recommendations_go_on(shop: Shop, ops: httpx.Client) -> None:
    if not shop.url.startswith("postgres"):
        pytest.skip("SQLite cannot be away")
    admin = create_engine(shop.url.rsplit("/", 1)[0] + "/postgres", isolation_level="AUTOCOMMIT")
    database_name = shop.url.rsplit("/", 1)[1]
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {database_name} ALLOW_CONNECTIONS false"))
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(ended), {"name": database_name})
    try:
        for path in ("/audiences", "/audiences/no-such"):
            told = ops.get(path)
            assert (told.status_code, "retry-after" in told.headers) == (503, True)
        assert ops.post("/recommend", json={"placement": "home"}).status_code == 200
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {database_name} ALLOW_CONNECTIONS true"))
        admin.dispose()
    until(lambda: ops.get("/audiences").status_code == 200)


def test_an_export_that_is_left_is_told_as_not_whole(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    write_publication(home.publications, crowd(50_000))
    with (
        serving(serve_command(), home.root, tmp_path) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        audience_id = create(client, "all", rule={"all": []})["audience_id"]
        with client.stream("GET", f"/audiences/{audience_id}/export", params={"format": "jsonl"}) as response:
            next(response.iter_bytes(1000))

        def ended() -> list[bool]:
            lines = client.get("/audit", params={"action": "exported"}).json()["lines"]
            return [line["told"]["whole"] for line in lines]

        until(lambda: bool(ended()))
        assert ended() == [False]
