"""The outermost ASGI app: answers our endpoints at the cost of little more than a bare request, passes on the rest."""

import inspect
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from recsys.answers.policy import Placements
from recsys.answers.recommend import Answered
from recsys.core.errors import RequestError
from serving.auth import Gate
from serving.body import HungUpError, Message, Receive, read_body
from serving.endpoints import ENDPOINTS, Endpoint
from serving.errors import Headers, RefusedError, told
from serving.openapi import PAGE, document
from serving.overload import Load, Threads
from serving.schemas import Id
from serving.state import State, Watcher

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = (b"content-type", b"application/json")
MEMBER = "{member_id}"
READING = ("GET", "HEAD")

_id = TypeAdapter[str](Id)


class Counting(Watcher, Protocol):
    """What the door counts."""

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        ...

    def recommended(self, answer: Answered) -> None:
        """Count how a recommendation was reached."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    """An endpoint and what is known of it before any request. methods: those it takes. handle: the cheapest way."""

    endpoint: Endpoint
    handle: Callable[[State, Any, str], Any]
    methods: tuple[str, ...]
    by_member: bool

    @classmethod
    def to(cls, endpoint: Endpoint) -> "_Route":
        methods = ("GET", "POST") if endpoint.body_optional else ("POST",)
        return cls(endpoint, endpoint.at_once or endpoint.handle, methods, MEMBER in endpoint.path)

    def check_method(self, method: str) -> None:
        if method not in self.methods:
            allow = (b"allow", ", ".join(self.methods).encode())
            rule = f"{method} is not taken here; use {' or '.join(self.methods)}"
            raise RefusedError(405, "method", rule, headers=(allow,))


class Door:
    """Stands before another app. Everything a request may do wrong is met here, as the app behind never sees it."""

    def __init__(self, state: State, metrics: Counting, behind: App, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        self._state = state
        self._metrics = metrics
        self._behind = behind
        self._gate = Gate(state.keyring)
        self._load = Load()
        self._threads = Threads()
        routes = [_Route.to(endpoint) for endpoint in endpoints]
        self._exact = {route.endpoint.path: route for route in routes if not route.by_member}
        self._by_member = [(route.endpoint.path.split(MEMBER), route) for route in routes if route.by_member]
        self._told: tuple[str | None, Placements, bytes] | None = None
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
        route, member_id = self._exact.get(path), ""
        if route is None:
            route, member_id = self._member_route(path)
        if route is not None:
            await self._answer(route, member_id, scope, receive, send)
        elif scope["method"] not in READING:  # the app behind answers the same questions without asking for a key
            await _send(send, 404, _failure(RefusedError(404, "path", "is no address of this service")), JSON)
        elif path in self._pages:
            status, kind, body = self._pages[path]()
            await _send(send, status, body, (b"content-type", kind))
        else:
            await self._behind(scope, receive, send)

    async def _answer(self, route: _Route, member_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        endpoint = route.endpoint
        headers: Headers = (JSON,)
        try:
            self._load.enter(started)
            try:
                answer = await self._handled(route, member_id, scope, receive)
            finally:
                self._load.leave()
            if isinstance(answer, Answered):
                content = answer.body
                self._metrics.recommended(answer)
            else:
                content = orjson.dumps(answer)
            status = endpoint.status
        except HungUpError:
            return
        except Exception as error:
            failed = told(error)
            status, content = failed.status, orjson.dumps({"error": asdict(failed.failure)})
            headers = (JSON, *failed.headers)
        self._metrics.answered(endpoint.name, status, perf_counter() - started)
        await _send(send, status, content, *headers)

    async def _handled(self, route: _Route, member_id: str, scope: Scope, receive: Receive) -> Any:
        endpoint, method = route.endpoint, scope["method"]
        route.check_method(method)
        self._gate.admit(scope, endpoint.role)
        if route.by_member:
            _check_id(member_id)
        body = b"{}" if method == "GET" else await read_body(receive, self._load)
        if not body or body.isspace():
            if not endpoint.body_optional:
                raise RefusedError(400, "body", "is empty; send a JSON object")
            body = b"{}"
        request = endpoint.request.model_validate_json(body)
        if endpoint.in_thread:
            return await self._threads.run(endpoint.handle, self._state, request, member_id, within=endpoint.within)
        answer = route.handle(self._state, request, member_id)
        return await answer if inspect.isawaitable(answer) else answer

    def _member_route(self, path: str) -> tuple[_Route | None, str]:
        for (start, end), route in self._by_member:
            if path.startswith(start) and path.endswith(end) and len(path) >= len(start) + len(end):
                return route, path[len(start) : -len(end)]
        return None, ""

    def _ready(self) -> tuple[int, bytes, bytes]:
        """200 as long as there is something to answer from, even when a newer publication was refused."""
        ready = self._state.readiness()
        return (200 if ready["ready"] else 503), JSON[1], orjson.dumps(ready)

    def _document(self) -> tuple[int, bytes, bytes]:
        """Build the document once a publication and its placements."""
        state = self._state
        publication, placements = (state.publication if state.ready else None), state.placements
        name = None if publication is None else publication.name
        if self._told is None or self._told[0] != name or self._told[1] is not placements:
            self._told = name, placements, orjson.dumps(document(publication, placements))
        return 200, JSON[1], self._told[2]

    def _page(self) -> tuple[int, bytes, bytes]:
        return 200, b"text/html; charset=utf-8", PAGE.encode()


def _failure(error: RefusedError) -> bytes:
    return orjson.dumps({"error": asdict(told(error).failure)})


def _check_id(member_id: str) -> None:
    """Hold an id of the path to what ids in bodies are held to."""
    try:
        _id.validate_python(member_id)
    except ValidationError as error:
        raise RequestError("member_id", error.errors(include_url=False, include_input=False)[0]["msg"]) from None


async def _send(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": (length, *headers)})
    await send({"type": "http.response.body", "body": body})
