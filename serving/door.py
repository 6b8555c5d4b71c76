"""The outermost ASGI app: answers our endpoints at the cost of little more than a bare request, passes on the rest."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Protocol, get_origin
from urllib.parse import parse_qs

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from recsys.answers.policy import Placements
from recsys.answers.recommend import Answered
from recsys.core.errors import RequestError
from serving.auth import Gate
from serving.body import HungUpError, Message, Receive, read_body
from serving.call import Call, Download
from serving.endpoint import Endpoint
from serving.endpoints import ENDPOINTS
from serving.errors import Headers, RefusedError, told
from serving.files import send_file
from serving.openapi import PAGE, document
from serving.overload import Load, Threads
from serving.schemas import Id
from serving.state import State, Watcher

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = (b"content-type", b"application/json")
READING = ("GET", "HEAD")
METRICS = "/metrics"

_id = TypeAdapter[str](Id)


class Counting(Watcher, Protocol):
    """What the door counts."""

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        ...

    def recommended(self, answer: Answered) -> None:
        """Count how a recommendation was reached."""
        ...

    def give(self) -> None:
        """Make what was counted so far visible."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    """An endpoint and what is known of it before any request.

    handle: the cheapest way. methods: those it takes. item: the name in braces of its path, None = there is none.
    lists: the names of a query that may be given several times.
    """

    endpoint: Endpoint
    handle: Callable[[State, Any, Call], Any]
    methods: tuple[str, ...]
    item: str | None
    lists: frozenset[str]

    @classmethod
    def to(cls, endpoint: Endpoint) -> "_Route":
        methods = ("GET", "POST") if endpoint.body_optional else (endpoint.method,)
        _, _, item = endpoint.path.partition("{")
        fields = endpoint.request.model_fields.items()
        lists = frozenset(name for name, field in fields if get_origin(field.annotation) is tuple)
        return cls(endpoint, endpoint.at_once or endpoint.handle, methods, item.partition("}")[0] or None, lists)

    @property
    def ends(self) -> tuple[str, str]:
        """What stands in the path before and after the item."""
        before, _, rest = self.endpoint.path.partition("{")
        return before, rest.partition("}")[2]

    def asked(self, query: bytes) -> BaseModel:
        """Read the request from a query."""
        told = parse_qs(query.decode("ascii", "replace"), keep_blank_values=True)
        values = {name: given if name in self.lists or len(given) > 1 else given[0] for name, given in told.items()}
        return self.endpoint.request.model_validate_strings(values)


_Address = Mapping[str, _Route]
"""The routes of one path, by method."""


def _addresses(routes: Sequence[_Route]) -> dict[str, dict[str, _Route]]:
    found: dict[str, dict[str, _Route]] = {}
    for route in routes:
        found.setdefault(route.endpoint.path, {}).update(dict.fromkeys(route.methods, route))
    return found


def _of_method(address: _Address, method: str) -> _Route:
    route = address.get(method)
    if route is None:
        allow = (b"allow", ", ".join(address).encode())
        rule = f"{method} is not taken here; use {' or '.join(address)}"
        raise RefusedError(405, "method", rule, headers=(allow,))
    return route


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
        self._exact: Mapping[str, _Address] = _addresses([route for route in routes if route.item is None])
        with_item = _addresses([route for route in routes if route.item is not None]).values()
        ends = [(next(iter(address.values())).ends, address) for address in with_item]
        self._with_item: list[tuple[tuple[str, str], _Address]] = sorted(ends, key=lambda one: -len(one[0][1]))
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
        address, item = self._exact.get(path), ""
        if address is None:
            address, item = self._address_with_item(path)
        if address is not None:
            await self._answer(address, item, scope, receive, send)
        elif scope["method"] not in READING:  # the app behind answers the same questions without asking for a key
            await _send(send, 404, _failure(RefusedError(404, "path", "is no address of this service")), JSON)
        elif path in self._pages:
            status, kind, body = self._pages[path]()
            await _send(send, status, body, (b"content-type", kind))
        else:
            if path == METRICS:
                self._metrics.give()
            await self._behind(scope, receive, send)

    async def _answer(self, address: _Address, item: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        route = address.get(scope["method"]) or next(iter(address.values()))
        endpoint = route.endpoint
        headers: Headers = (JSON,)
        content: bytes | Download
        try:
            self._load.enter(started)
            try:
                answer = await self._handled(_of_method(address, scope["method"]), item, scope, receive)
            finally:
                self._load.leave()
            if isinstance(answer, Answered):
                content = answer.body
                self._metrics.recommended(answer)
            elif isinstance(answer, Download):
                content = answer
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
        if isinstance(content, Download):
            await send_file(content, status, self._threads, receive, send)
        else:
            await _send(send, status, content, *headers)

    async def _handled(self, route: _Route, item: str, scope: Scope, receive: Receive) -> Any:
        endpoint = route.endpoint
        call = Call(item, self._gate.admit(scope, endpoint.role))
        if route.item is not None:
            _check_id(route.item, item)
        if scope["method"] == "GET":
            request = route.asked(scope["query_string"])
        else:
            request = endpoint.request.model_validate_json(await self._body(receive, optional=endpoint.body_optional))
        if endpoint.in_thread:
            return await self._threads.run(endpoint.handle, self._state, request, call, within=endpoint.within)
        answer = route.handle(self._state, request, call)
        if isinstance(answer, Answered):
            return answer
        return await answer if inspect.isawaitable(answer) else answer

    async def _body(self, receive: Receive, *, optional: bool) -> bytes:
        body = await read_body(receive, self._load)
        if body and not body.isspace():
            return body
        if not optional:
            raise RefusedError(400, "body", "is empty; send a JSON object")
        return b"{}"

    def _address_with_item(self, path: str) -> tuple[_Address | None, str]:
        """Return the address with the longest end that fits, and the item of the path."""
        for (start, end), address in self._with_item:
            if path.startswith(start) and path.endswith(end) and len(path) >= len(start) + len(end):
                return address, path[len(start) : len(path) - len(end)]
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


def _check_id(name: str, item: str) -> None:
    """Hold an id of the path to what ids in bodies are held to."""
    try:
        _id.validate_python(item)
    except ValidationError as error:
        raise RequestError(name, error.errors(include_url=False, include_input=False)[0]["msg"]) from None


async def _send(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": (length, *headers)})
    await send({"type": "http.response.body", "body": body})
