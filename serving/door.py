"""The outermost ASGI app: answers our endpoints at the cost of little more than a bare request, passes on the rest."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from recsys.answers.shapes import Recommendation
from recsys.core.errors import RequestError
from serving.endpoints import ENDPOINTS, Endpoint
from serving.errors import MAX_BODY, BodyError, failure
from serving.openapi import PAGE, document
from serving.schemas import Id
from serving.state import State, Watcher

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = (b"content-type", b"application/json")
MEMBER = "{member_id}"

_id = TypeAdapter[str](Id)


class _HungUpError(Exception):
    """The caller went away before the request was read."""


class Counting(Watcher, Protocol):
    """What the door counts."""

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        ...

    def recommended(self, answer: Recommendation) -> None:
        """Count how a recommendation was reached."""
        ...


class Door:
    """Stands before another app. Everything a request may do wrong is met here, as the app behind never sees it."""

    def __init__(self, state: State, metrics: Counting, behind: App) -> None:
        self._state = state
        self._metrics = metrics
        self._behind = behind
        self._exact = {endpoint.path: endpoint for endpoint in ENDPOINTS if MEMBER not in endpoint.path}
        self._by_member = [(endpoint.path.split(MEMBER), endpoint) for endpoint in ENDPOINTS if MEMBER in endpoint.path]
        self._told: tuple[str | None, bytes] | None = None
        self._pages: dict[str, Callable[[], tuple[int, bytes, bytes]]] = {
            "/": self._page,
            "/docs": self._page,
            "/docs.json": self._document,
            "/readyz": self._ready,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        path = scope["path"]
        endpoint, member_id = self._exact.get(path), ""
        if endpoint is None:
            endpoint, member_id = self._member_endpoint(path)
        if endpoint is not None:
            await self._answer(endpoint, member_id, scope, receive, send)
        elif path in self._pages and scope["method"] in ("GET", "HEAD"):
            status, kind, body = self._pages[path]()
            await _send(send, status, body, (b"content-type", kind))
        else:
            await self._behind(scope, receive, send)

    async def _answer(self, endpoint: Endpoint, member_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            body = await _body(endpoint, scope, receive)
            if MEMBER in endpoint.path:
                _check_id(member_id)
            request = endpoint.request.model_validate_json(body)
            if endpoint.in_thread:
                answer = await asyncio.to_thread(endpoint.handle, self._state, request, member_id)
            else:
                answer = endpoint.handle(self._state, request, member_id)
            status, content = 200, orjson.dumps(answer)
            if isinstance(answer, Recommendation):
                self._metrics.recommended(answer)
        except _HungUpError:
            return
        except Exception as error:
            status, told = failure(error)
            content = orjson.dumps({"error": asdict(told)})
        self._metrics.answered(endpoint.name, status, time.perf_counter() - started)
        allow = [(b"allow", ", ".join(_methods(endpoint)).encode())] if status == 405 else []
        await _send(send, status, content, JSON, *allow)

    def _member_endpoint(self, path: str) -> tuple[Endpoint | None, str]:
        for (start, end), endpoint in self._by_member:
            if path.startswith(start) and path.endswith(end) and len(path) >= len(start) + len(end):
                return endpoint, path[len(start) : -len(end)]
        return None, ""

    def _ready(self) -> tuple[int, bytes, bytes]:
        """200 as long as there is something to answer from, even when a newer publication was refused."""
        state = self._state
        publication = state.publication if state.ready else None
        told = {
            "ready": publication is not None,
            "publication": None if publication is None else publication.name,
            "as_of": None if publication is None else str(publication.as_of),
            "refused": None if state.refusal is None else asdict(state.refusal),
        }
        return (200 if publication else 503), JSON[1], orjson.dumps(told)

    def _document(self) -> tuple[int, bytes, bytes]:
        """Build the document once a publication."""
        publication = self._state.publication if self._state.ready else None
        name = None if publication is None else publication.name
        if self._told is None or self._told[0] != name:
            self._told = name, orjson.dumps(document(publication, self._state.placements))
        return 200, JSON[1], self._told[1]

    def _page(self) -> tuple[int, bytes, bytes]:
        return 200, b"text/html; charset=utf-8", PAGE.encode()


def _methods(endpoint: Endpoint) -> tuple[str, ...]:
    return ("GET", "POST") if endpoint.body_optional else ("POST",)


def _check_id(member_id: str) -> None:
    """Hold an id of the path to what ids in bodies are held to."""
    try:
        _id.validate_python(member_id)
    except ValidationError as error:
        raise RequestError("member_id", error.errors(include_url=False, include_input=False)[0]["msg"]) from None


async def _body(endpoint: Endpoint, scope: Scope, receive: Receive) -> bytes:
    """Read the request's body; `BodyError` when it must not be read or is not there."""
    method = scope["method"]
    if method not in _methods(endpoint):
        raise BodyError(405, "method", f"{method} is not taken here; use {' or '.join(_methods(endpoint))}")
    if method == "GET":
        return b"{}"
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUpError
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise BodyError(413, "body", f"is larger than {MAX_BODY} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            break
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    if body.strip():
        return body
    if endpoint.body_optional:
        return b"{}"
    raise BodyError(400, "body", "is empty; send a JSON object")


async def _send(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-length", b"%d" % len(body)), *more]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
