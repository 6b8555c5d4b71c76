"""What the service answers becomes something that a page can tell."""

import asyncio

import httpx
import pytest

from console.api import Api, ApiError, part


def answer(status: int, body: object) -> Exception | object:
    async def ask() -> object:
        def handle(request: httpx.Request) -> httpx.Response:
            assert request.headers["authorization"] == "Bearer rk_1_secret"
            return httpx.Response(status, json=body)

        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://service") as client:
            try:
                return await Api(client, "rk_1_secret").get("/x")
            except ApiError as error:
                return error

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("status", "kind", "more"),
    [
        (401, "key", ""),
        (403, "role", ""),
        (404, "unknown", "field: why"),
        (409, "refused", "field: why"),
        (422, "refused", "field: why"),
        (429, "busy", "field: why"),
        (500, "failed", "field: why"),
        (503, "busy", "field: why"),
    ],
)
def test_each_status_is_told_as_what_it_means(status: int, kind: str, more: str) -> None:
    error = answer(status, {"error": {"field": "field", "rule": "why"}})
    assert isinstance(error, ApiError)
    assert (error.kind, error.more) == (kind, more)


def test_an_answer_that_is_none_of_the_services_is_told_by_its_status() -> None:
    error = answer(502, ["no such thing"])
    assert isinstance(error, ApiError)
    assert error.more == "Bad Gateway"


def test_a_service_that_is_not_there_is_down() -> None:
    async def ask() -> str:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9", trust_env=False) as client:
            try:
                await Api(client, "").get("/x")
            except ApiError as error:
                return error.kind
            return "up"

    assert asyncio.run(ask()) == "down"


def test_ids_stand_in_paths_whatever_is_in_them() -> None:
    assert part("a/b ?会员") == "a%2Fb%20%3F%E4%BC%9A%E5%91%98"


@pytest.mark.parametrize(("method", "told"), [("GET", "answered"), ("POST", "down")])
def test_what_only_reads_is_asked_again_when_an_idle_connection_was_closed(method: str, told: str) -> None:
    closed = [True]

    async def ask() -> str:
        def handle(_: httpx.Request) -> httpx.Response:
            if closed.pop() if closed else False:
                raise httpx.RemoteProtocolError("closed")
            return httpx.Response(200, json={"it": "answered"})

        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://service") as client:
            api = Api(client, "")
            try:
                answer = await (api.get("/x") if method == "GET" else api.post("/x", {}))
            except ApiError as error:
                return error.kind
            return str(answer["it"])

    assert asyncio.run(ask()) == told
