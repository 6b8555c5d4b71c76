"""The whole way on the outgrown stack, all of it real: Spark, Postgres, Redis, an MLflow server, the service over them.

The tables are simulated, the configuration is that of `deploy/`.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import create_engine, text

from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.task import View
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder, read_rows
from recsys.models.catalog import CATALOG
from recsys.models.spaces import flat
from recsys.store.online import row_reader
from tests.feast_join import historical_rows
from tests.postgres import empty_database
from tests.redis_server import RedisServer
from tests.serving_process import Running, free_port, running, serve_command, serving
from tests.watching import until
from training import cli

pytestmark = pytest.mark.timeout(1500)  # a cluster, four servers and every model on whatever machine there is

ROOT = Path(__file__).parents[2]
MEMBERS, DAYS = "120", "120"
HORIZON = 14
MLFLOW_WITHIN = 180


@dataclass(frozen=True)
class Stack:
    """Where everything is.

    urls: of the databases, by name.
    by_spark: the files of the served day's snapshot as Spark left them, and when each was written.
    """

    home: Home
    urls: dict[str, str]
    redis: RedisServer
    by_spark: dict[Path, int]

    @property
    def publication(self) -> Publication:
        """What is served."""
        return Publication.open_current(self.home.publications)


def settings(file: Path) -> None:
    """Add small models and short horizons to the settings that the simulator wrote."""
    lines = ["[training]", "trains = 1", "tests = 1", "min_history = 56", "keep = 30"]
    for name, recipe in CATALOG.items():
        lines += [f"[tasks.{name}]", f"horizon = {28 if recipe.task.censored_from else HORIZON}"]
        trees = sorted({key.rpartition(".")[0] for key in flat(recipe.config()) if key.endswith(".rounds")})
        lines += [f"[tasks.{name}.model.{tree}]\nrounds = 5\nmin_leaf = 5" for tree in trees]
    file.write_text(file.read_text(encoding="utf-8") + "\n".join(["", *lines, ""]), encoding="utf-8")


def mlflow_server(backend: str, folder: Path, port: int) -> AbstractContextManager[Running]:
    """Run MLflow's own server over a database, with artifacts on disk."""
    folder.mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts")]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return running(command, quiet, folder, f"http://127.0.0.1:{port}", "/health", within=MLFLOW_WITHIN)


@pytest.fixture(scope="module")
def stack(
    postgres: str, redis: RedisServer, spark_master: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Everything running, and the shop's way gone by the command from tables to online rows."""
    root = tmp_path_factory.mktemp("stack")
    with ExitStack() as held, pytest.MonkeyPatch.context() as patch:
        urls = {name: held.enter_context(empty_database(postgres)) for name in ("recsys", "mlflow", "feast")}
        made, port = Stack(Home(root / "home"), urls, redis, {}), free_port()
        told = {
            "RECSYS_HOME": str(made.home.root),
            "RECSYS_DATABASE_URL": urls["recsys"],
            "RECSYS_ONLINE_URL": redis.url,
            "RECSYS_USER": "王芳",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
            "FEAST_FS_YAML_FILE_PATH": str(ROOT / "deploy" / "feature_store.yaml"),
            "FEAST_REGISTRY_URL": urls["feast"],
            "RECSYS_SPARK_MASTER": spark_master,
        }
        for name, value in told.items():
            patch.setenv(name, value)
        server = mlflow_server(urls["mlflow"], root / "mlflow", port)
        with ThreadPoolExecutor(1) as beside:  # it takes its time to start
            started = beside.submit(held.enter_context, server)
            recsys("simulate", "--members", MEMBERS, "--days", DAYS, "--seed", "3", "--out", str(root / "shop"))
            settings(root / "shop" / "recsys.toml")
            patch.chdir(root / "shop")
            recsys("ingest")
            day = str(Tables.open(made.home.tables).end)
            recsys("features", "--as-of", day, "--engine", "spark", "--master", spark_master)
            made.by_spark.update(written(made.home, day))
            recsys("features")
            started.result()
        for step in ("train all --promote", "publish", "materialize"):
            recsys(*step.split())
        yield made


def written(home: Home, day: str) -> dict[Path, int]:
    """The files of a day's snapshot, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in (home.snapshots / f"as_of={day}").iterdir()}


def recsys(*words: str) -> None:
    """Run the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["recsys", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code in {None, 0}, words


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(serve_command(), stack.home.root, tmp_path_factory.mktemp("serve")) as service:
        yield service


@pytest.fixture
def client(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def rows(url: str, query: str) -> list[Any]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query)))
    finally:
        engine.dispose()


def test_the_served_days_features_are_sparks(stack: Stack) -> None:
    assert len(stack.by_spark) > len(View)
    assert written(stack.home, str(stack.publication.as_of)) == stack.by_spark


def test_runs_and_models_are_the_servers(stack: Stack) -> None:
    learnt = set(stack.publication.model_versions)
    assert {"churn", "repurchase", "recommend"} <= learnt
    named = rows(stack.urls["mlflow"], "SELECT name, alias FROM registered_model_aliases")
    assert {(task, "champion") for task in learnt} == set(map(tuple, named))
    assert list((stack.home.root.parent / "mlflow" / "artifacts").rglob("bundle"))
    assert not (stack.home.mlflow / "mlflow.db").exists()


def test_promotions_are_in_the_ledger_on_postgres(stack: Stack) -> None:
    told = rows(stack.urls["recsys"], "SELECT DISTINCT task, who FROM promotions")
    assert set(map(tuple, told)) == {(task, "王芳") for task in stack.publication.model_versions}
    assert not (stack.home.root / "recsys.db").exists()


def test_online_rows_in_redis_are_the_snapshots(stack: Stack) -> None:
    frame = SnapshotFolder.open(stack.home.snapshots, stack.publication.as_of).read(View.MEMBER)
    read = row_reader(stack.redis.url, seconds=5).read(
        View.MEMBER, frame["member_id"].tolist(), not_before=stack.publication.as_of.instant
    )
    assert len(read) > 100
    assert read.found.all()
    np.testing.assert_array_equal(read.numbers, frame[list(read.names)].to_numpy(float))
    assert not stack.home.online.exists()
    known = rows(stack.urls["feast"], "SELECT feature_view_name FROM feature_views")
    assert {row[0] for row in known} == set(View)
    assert not (stack.home.feast / "registry.db").exists()


def test_feast_joins_on_spark_what_training_reads(stack: Stack) -> None:
    task, as_of = CATALOG["repurchase"].task, stack.publication.as_of
    direct = read_rows(SnapshotFolder.open(stack.home.snapshots, as_of), task)
    joined = historical_rows(stack.home, task, as_of, direct.keys)
    assert len(direct) > 100
    numbers = [spec.name for spec in direct.specs if spec.kind == "number"]
    texts = [spec.name for spec in direct.specs if spec.kind == "category"]
    np.testing.assert_array_equal(joined.values[numbers].to_numpy(np.float32), direct.values[numbers].to_numpy())
    assert joined.values[texts].equals(direct.values[texts])


def test_the_service_recommends_and_shows_the_online_row(stack: Stack, client: httpx.Client) -> None:
    member = stack.publication.members.text(0)
    told = client.post("/recommend", json={"placement": "home", "member_id": member, "k": 5})
    assert told.status_code == 200, told.text
    answer = told.json()
    assert (answer["publication"], len(answer["items"])) == (stack.publication.name, 5)
    card = client.get(f"/members/{member}/predictions").json()
    assert (card["features"]["source"], card["features"]["note"]) == ("online", None)


def test_events_are_in_postgres_and_in_the_next_answer(stack: Stack, client: httpx.Client) -> None:
    member = stack.publication.members.text(1)

    def shown() -> list[str]:
        told = client.post("/recommend", json={"placement": "home", "member_id": member, "k": 20})
        assert told.status_code == 200, told.text
        return [item["product_id"] for item in told.json()["items"]]

    before = shown()
    now = datetime.now(UTC).isoformat()
    view = {"type": "view", "member_id": member, "product_id": before[10], "occurred_at": now}
    told = client.post("/events", json={"events": [view | {"event_id": f"e{number}"} for number in range(3)]})
    assert told.status_code == 202, told.text
    stored = rows(stack.urls["recsys"], "SELECT event_id, member_id FROM events WHERE type = 'view' ORDER BY event_id")
    assert [tuple(row) for row in stored] == [(f"e{number}", member) for number in range(3)]
    until(lambda: shown() != before)
    assert client.post("/products/stock", json={"products": [{"product_id": before[0], "stock": 0}]}).is_success
    until(lambda: before[0] not in shown())


def test_an_audience_is_frozen_on_postgres(stack: Stack, client: httpx.Client) -> None:
    rule = {"score": "churn", "min": 0.2}
    made = client.post("/audiences", json={"name": "流失", "rule": rule, "pressure": None})
    assert made.status_code == 201, made.text
    counts = made.json()["versions"][0]["counts"]
    assert counts["members"] > 0
    assert rows(stack.urls["recsys"], "SELECT name FROM audiences") == [("流失",)]
    file = client.get(f"/audiences/{made.json()['audience_id']}/export", params={"format": "jsonl"})
    assert len(file.content.splitlines()) == counts["treated"]


def test_without_redis_the_card_tells_what_was_published_and_materialize_fills_it_again(
    stack: Stack, client: httpx.Client
) -> None:
    member = stack.publication.members.text(0)

    def source() -> object:
        return client.get(f"/members/{member}/predictions").json()["features"]["source"]

    assert source() == "online"
    stack.redis.stop()
    try:
        assert source() == "published"
        assert "online" in client.get("/readyz").json()["without"]
        asked = {"placement": "home", "member_id": member, "k": 5}
        assert client.post("/recommend", json=asked).status_code == 200
    finally:
        stack.redis.start()
    until(lambda: "online" not in client.get("/readyz").json()["without"])
    assert source() == "published"
    recsys("materialize")
    assert source() == "online"
