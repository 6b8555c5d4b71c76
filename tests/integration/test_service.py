import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.core.folders import current, point
from recsys.store.packed import PackedStore
from serving.body import MAX_BODY
from serving.call import Download
from serving.endpoints import ENDPOINTS
from serving.online import NO_ROW
from tests.publications import MEMBERS, PRODUCTS, content, member_id, product_id
from tests.serving_process import Running, serve_command, serving
from tests.watching import counter, ready, until

OUT = member_id(MEMBERS - 1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    return home


@pytest.fixture(scope="module")
def running(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(serve_command(), home.root, tmp_path_factory.mktemp("serve")) as service:
        print(f"\nready after {service.start_seconds:.1f} s")  # noqa: T201
        yield service


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=10) as client:
        yield client


def error(response: httpx.Response) -> tuple[int, str | None]:
    told = response.json()
    assert set(told) == {"error"}
    assert set(told["error"]) == {"field", "rule"}
    assert told["error"]["rule"]
    assert "Traceback" not in response.text
    return response.status_code, told["error"]["field"]


def test_the_examples_of_the_api_page_work_and_fit_their_schemas(client: httpx.Client) -> None:
    paths = client.get("/docs.json").json()["paths"]
    made = client.post("/audiences", json={"name": "of the page", "rule": {"score": "churn", "min": 0.5}}).json()
    for endpoint in ENDPOINTS:
        path = paths[endpoint.path]
        operation = path[endpoint.method.lower()]
        url = endpoint.path.replace("{audience_id}", made["audience_id"])
        for parameter in path.get("parameters", []):
            url = url.replace(f"{{{parameter['name']}}}", parameter.get("example", ""))
        if endpoint.method == "GET":
            response = client.get(url)
        elif "example" in (body := operation["requestBody"]["content"]["application/json"]):
            response = client.post(url, json=body["example"])
        else:
            continue
        assert response.status_code == endpoint.status, response.text
        if endpoint.answer is not Download:
            answer = TypeAdapter(endpoint.answer).validate_json(response.content)
            assert json.loads(TypeAdapter(endpoint.answer).dump_json(answer)) == response.json()


def test_a_recommendation_is_personal_reasoned_and_traceable(client: httpx.Client) -> None:
    body = {"placement": "home", "member_id": member_id(1), "k": 5}
    first, second = (client.post("/recommend", json=body).json() for _ in range(2))
    assert (first["standing"], first["route"], len(first["items"])) == ("known", "warm", 5)
    assert first["recommendation_id"] != second["recommendation_id"]
    assert first["items"] == second["items"]
    assert {"code", "params", "zh", "en"} == set(first["items"][0]["reason"])


def test_an_unknown_member_takes_the_cold_route_and_is_told(client: httpx.Client) -> None:
    answer = client.post("/recommend", json={"placement": "home", "member_id": "nobody", "k": 3}).json()
    assert (answer["standing"], answer["route"]) == ("unknown", "cold")
    assert [item["product_id"] for item in answer["items"]] == [product_id(n) for n in range(3)]
    assert answer["fallbacks"]


def test_an_opted_out_member_is_answered_like_a_stranger(client: httpx.Client) -> None:
    stranger = client.post("/recommend", json={"placement": "home"}).json()
    answer = client.post("/recommend", json={"placement": "home", "member_id": OUT}).json()
    assert answer["standing"] == "opted_out"
    assert answer["items"] == stranger["items"]
    card = client.get(f"/members/{OUT}/predictions").json()
    assert (card["standing"], card["churn"], card["features"]) == ("opted_out", None, None)


def test_the_member_card_comes_by_get_and_post(client: httpx.Client) -> None:
    url = f"/members/{member_id(1)}/predictions"
    assert client.get(url).json() == client.post(url).json() == client.post(url, json={}).json()
    assert error(client.get("/members/nobody/predictions")) == (404, "member_id")
    assert error(client.post(url, json={"days": 3})) == (422, "days")


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/recommend", {}, 422, "placement"),
        ("/recommend", {"placement": "nowhere"}, 422, "placement"),
        ("/recommend", {"placement": "home", "k": 0}, 422, "k"),
        ("/recommend", {"placement": "home", "k": 201}, 422, "k"),
        ("/recommend", {"placement": "home", "k": "5"}, 422, "k"),
        ("/recommend", {"placement": "home", "k": 2.5}, 422, "k"),
        ("/recommend", {"placement": "home", "k": True}, 422, "k"),
        ("/recommend", {"placement": "home", "member_id": 7}, 422, "member_id"),
        ("/recommend", {"placement": "home", "member_id": ""}, 422, "member_id"),
        ("/recommend", {"placement": "home", "colour": 1}, 422, "colour"),
        ("/recommend", {"placement": "home", "filters": {"price_min": -1}}, 422, "filters.price_min"),
        (
            "/recommend",
            {"placement": "home", "filters": {"price_min": 2, "price_max": 1}},
            422,
            "filters.price_max",
        ),
        ("/recommend", {"placement": "home", "context": {"products": "p001"}}, 422, "context.products"),
        ("/recommend", {"placement": "home", "exclude": ["a", 1]}, 422, "exclude.1"),
        ("/recommend", [], 422, "body"),
        ("/rank", {"products": []}, 422, "products"),
        ("/rank", {"products": ["p001", "?"]}, 404, "products.1"),
        ("/rank", {"products": ["p001", "p001"]}, 422, "products.1"),
        ("/rank", {"products": ["p001"] * 501}, 422, "products"),
        ("/similar", {"product_id": "?"}, 404, "product_id"),
        ("/similar", {"product_id": "p001", "k": 1000}, 422, "k"),
        ("/bought-together", {"product_id": "?"}, 404, "product_id"),
        ("/audiences/preview", {"task": "loyalty"}, 422, "task"),
        ("/audiences/preview", {"task": "repurchase"}, 422, "category"),
        ("/audiences/preview", {"task": "repurchase", "category": "?"}, 404, "category"),
        ("/audiences/preview", {"task": "new_product", "product_id": "?"}, 404, "product_id"),
        ("/audiences/preview", {"task": "churn", "within": 8}, 422, "within"),
        ("/audiences/preview", {"task": "churn", "top": 1, "threshold": 0.5}, 422, "top"),
        ("/audiences/preview", {"task": "churn", "category": "category 1"}, 422, "category"),
        ("/audiences/preview", {"task": "churn", "within": 14}, 422, "within"),
        ("/audiences/preview", {"task": "churn", "product_id": "p001"}, 422, "product_id"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, path: str, body: object, status: int, field: str) -> None:
    assert error(client.post(path, json=body)) == (status, field)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b"  \n", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"placement": "\\ud800"}', 400),
        (b'{"placement": "home", "k": 1e400}', 422),
        (b"null", 422),
        (b"[" * 10_000, 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client: httpx.Client, sent: bytes, status: int) -> None:
    assert error(client.post("/recommend", content=sent))[0] == status


def test_a_huge_body_is_refused_however_it_is_sent(client: httpx.Client) -> None:
    body = b'{"placement": "' + b"x" * (6 * MAX_BODY) + b'"}'
    assert error(client.post("/recommend", content=body)) == (413, "body")
    parts = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    assert error(client.post("/recommend", content=parts)) == (413, "body")
    assert client.post("/recommend", json={"placement": "home"}).status_code == 200


def test_other_methods_and_addresses_are_refused(client: httpx.Client) -> None:
    assert error(client.get("/recommend")) == (405, "method")
    assert error(client.delete(f"/members/{member_id(1)}/predictions")) == (405, "method")
    assert client.post("/nowhere", json={}).status_code == 404
    assert error(client.get("/members//predictions")) == (422, "member_id")
    assert client.get("/recommend").headers["allow"] == "POST"


def test_machines_are_told_what_they_need(client: httpx.Client, home: Home) -> None:
    assert client.get("/healthz").status_code == client.get("/livez").status_code == 200
    told = ready(client)
    folder = current(home.publications)
    assert folder is not None
    assert (told["ready"], told["publication"], told["as_of"]) == (True, folder.name, "2025-03-31")
    client.post("/recommend", json={"placement": "home", "k": 0})
    metrics = client.get("/metrics").text
    assert 'recsys_requests_total{endpoint="recommend",status="422"}' in metrics
    assert 'recsys_request_seconds_count{endpoint="recommend"}' in metrics
    assert 'recsys_routes_total{placement="home",route="warm"}' in metrics


def test_the_api_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "//" not in page.replace("<!DOCTYPE html>", "")
    assert client.get("/static_content/swagger-ui-bundle.js").status_code == 200


def test_the_live_feature_row_is_shown_with_its_time(client: httpx.Client, home: Home) -> None:
    url = f"/members/{member_id(1)}/predictions"
    before = client.get(url).json()["features"]
    assert before["source"] == "published"
    assert before["note"]
    at = datetime(2025, 4, 1, 8, tzinfo=UTC)
    row = pa.Table.from_pylist([{"member_id": member_id(1), "orders_90": 77.0, "tier": "gold", "event_timestamp": at}])
    PackedStore(home.online).write("member", row, keys=["member_id"], event="event_timestamp")
    after = client.get(url).json()["features"]
    assert (after["source"], after["timestamp"], after["note"]) == ("online", "2025-04-01T08:00:00+00:00", None)
    assert (after["values"]["orders_90"], after["values"]["tier"]) == (77.0, "gold")
    other = client.get(f"/members/{member_id(2)}/predictions").json()["features"]
    assert (other["source"], other["note"]) == ("published", NO_ROW)


def test_publications_are_swapped_under_load_without_a_failed_request(
    client: httpx.Client, running: Running, home: Home
) -> None:
    statuses: list[int] = []
    seen: set[str] = set()
    done = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=running.url, timeout=10) as own:
            while not done.is_set():
                response = own.post("/recommend", json={"placement": "home", "member_id": member_id(1), "k": 20})
                statuses.append(response.status_code)
                seen.add(response.json().get("publication", "none"))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    names = []
    try:
        for seed in range(1, 5):
            names.append(write_publication(home.publications, content(seed=seed)).name)
            until(lambda: ready(client)["publication"] == names[-1])
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 50
    assert set(names) <= seen | {names[-1]}
    shutil.rmtree(home.publications / names[0])


def test_a_broken_publication_is_refused_and_the_old_one_goes_on(client: httpx.Client, home: Home) -> None:
    good = ready(client)["publication"]
    answer = client.post("/rank", json={"member_id": member_id(1), "products": ["p010", "p020"]}).json()
    refusals = counter(client, 'recsys_publications_total{result="refused"}')
    bad = home.publications / "2025-04-01-broken"
    shutil.copytree(home.publications / good, bad)
    (bad / "recommend_score.npy").write_bytes((bad / "recommend_score.npy").read_bytes()[:100])
    point(home.publications, bad.name)
    until(lambda: ready(client)["refused"] is not None)
    told = ready(client)
    assert (told["ready"], told["publication"], told["refused"]["publication"]) == (True, good, bad.name)
    assert "recommend_score.npy" in told["refused"]["reason"]
    assert client.post("/rank", json={"member_id": member_id(1), "products": ["p010", "p020"]}).json() == answer
    assert counter(client, 'recsys_publications_total{result="refused"}') == refusals + 1
    point(home.publications, "not-there")
    until(lambda: (ready(client)["refused"] or {}).get("publication") == "not-there")
    name = write_publication(home.publications, content(seed=7)).name
    until(lambda: ready(client)["publication"] == name)
    assert ready(client)["refused"] is None


def test_bentoml_clients_reach_the_same_answers(running: Running) -> None:
    script = (
        "import sys, json, bentoml\n"
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(json.dumps(client.similar({'product_id': 'p001', 'k': 2})['items'][0]['product_id']))\n"
    )
    result = subprocess.run([sys.executable, "-c", script, running.url], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == product_id(13)


def test_whoever_holds_the_service_in_process_gets_the_same_answers(home: Home) -> None:
    script = (
        "import json, sys\n"
        "import orjson\n"
        "from serving.endpoints import BY_NAME\n"
        "from serving.service import service\n"
        "api = service()\n"
        "bodies = json.loads(sys.argv[1])\n"
        "requests = {name: BY_NAME[name].request.model_validate_json(json.dumps(bodies[name])) for name in bodies}\n"
        "print(orjson.dumps({name: getattr(api, name)(request) for name, request in requests.items()}).decode())\n"
        "api.stop()\n"
    )
    product = {"product_id": product_id(1), "k": 2}
    bodies = {
        "recommend": {"placement": "home", "k": 3},
        "rank": {"products": [product_id(4), product_id(3)]},
        "similar": product,
        "bought_together": product,
        "audience_preview": {"task": "churn", "top": 3},
    }
    result = subprocess.run(
        [sys.executable, "-c", script, json.dumps(bodies)],
        capture_output=True,
        text=True,
        check=False,
        env={"RECSYS_HOME": str(home.root), "PATH": "", "BENTOML_DO_NOT_TRACK": "True"},
    )
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout.splitlines()[-1])
    items = {name: [item["product_id"] for item in answers[name]["items"]] for name in bodies if name[0] != "a"}
    assert items == {
        "recommend": [product_id(n) for n in (0, 1, 2)],
        "rank": [product_id(3), product_id(4)],
        "similar": [product_id(n) for n in (13, 19)],
        "bought_together": [product_id(n) for n in (2, 3)],
    }
    assert answers["audience_preview"]["count"] == 3


def test_the_log_has_no_stack_trace(running: Running) -> None:
    log = running.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    told = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "process", "message"} <= set(told[0])
    refusals = [line["message"] for line in told if line["level"] == "error"]
    assert any("refused publication 2025-04-01-broken" in message for message in refusals)
    assert "会员" not in log


def test_without_a_publication_the_service_starts_waits_and_then_answers(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with serving(serve_command(), home.root, tmp_path) as service, httpx.Client(base_url=service.url) as client:
        assert client.get("/readyz").status_code == 503
        response = client.post("/recommend", json={"placement": "home"})
        assert error(response) == (503, None)
        assert response.headers["retry-after"]
        assert client.get("/docs.json").status_code == 200
        write_publication(home.publications, content())
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post("/recommend", json={"placement": "home", "k": PRODUCTS}).json()
        assert len(answer["items"]) == PRODUCTS - 3


def test_a_worker_imports_nothing_heavy(home: Home) -> None:
    script = (
        "import sys\n"
        "from serving.service import service\n"
        "service.to_asgi()\n"
        "service()\n"
        "from datetime import UTC, datetime\n"
        "service.state.online.read('x', datetime.now(UTC))\n"
        "assert service.state.ready\n"
        "heavy = 'mlflow feast lightgbm implicit sklearn scipy pandas duckdb ibis pandera matplotlib'\n"
        "print([name for name in heavy.split() if name in sys.modules])\n"
        "service.state.stop()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"RECSYS_HOME": str(home.root), "PATH": "", "BENTOML_DO_NOT_TRACK": "True"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"
