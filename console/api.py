"""The service as the console knows it: requests with a person's key, and errors that a page can tell."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

Record = dict[str, Any]
"""A JSON object."""

WITHIN = httpx.Timeout(30.0, connect=5.0)
LONG = httpx.Timeout(240.0, connect=5.0)


class ApiError(Exception):
    """The service did not do what it was asked. kind: what pages call it. more: what the service says of it."""

    kind = "failed"

    @property
    def more(self) -> str:
        """What the service says, in English; empty = nothing that helps."""
        return str(self)


class DownError(ApiError):
    """The service cannot be reached."""

    kind = "down"
    more = ""


class KeyLostError(ApiError):
    """The key is no key of the service, or was revoked."""

    kind = "key"
    more = ""


class RoleError(ApiError):
    """The key's role may not do this."""

    kind = "role"
    more = ""


class RefusedError(ApiError):
    """The service refuses a request.

    status: of the answer. field: the part of the request to mend, dotted; None = nothing in it is wrong.
    """

    def __init__(self, status: int, field: str | None, rule: str) -> None:
        super().__init__(rule)
        self.status, self.field, self.rule = status, field, rule
        self.kind = "unknown" if status == 404 else "failed" if status >= 500 else "refused"

    @property
    def more(self) -> str:
        """What is to be mended."""
        return f"{self.field}: {self.rule}" if self.field else self.rule


class BusyError(RefusedError):
    """The service cannot answer now; it may a little later."""

    def __init__(self, status: int, field: str | None, rule: str) -> None:
        super().__init__(status, field, rule)
        self.kind = "busy"


class Api:
    """Asks the service in one person's name."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Record:
        """Read something."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, body: Record, *, long: bool = False) -> Record:
        """Ask a question or have something done. long: it may take minutes."""
        return await self._ask("POST", path, body=body, within=LONG if long else WITHIN)

    async def text(self, path: str) -> str:
        """Read a page that is no JSON."""
        try:
            answer = await self._client.get(path, headers=self._headers, timeout=WITHIN)
        except httpx.HTTPError as error:
            raise DownError(str(error)) from error
        _check(answer)
        return answer.text

    @asynccontextmanager
    async def file(self, path: str, query: Mapping[str, str | int]) -> "AsyncIterator[AsyncIterator[bytes]]":
        """Receive a file piece by piece."""
        try:
            async with self._client.stream("GET", path, params=query, headers=self._headers, timeout=LONG) as answer:
                if answer.is_error:
                    await answer.aread()
                _check(answer)
                yield answer.aiter_bytes()
        except httpx.HTTPError as error:
            raise DownError(str(error)) from error

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Record | None = None,
        within: httpx.Timeout = WITHIN,
    ) -> Record:
        asked = self._client.build_request(method, path, params=query, json=body, headers=self._headers, timeout=within)
        try:
            answer = await self._client.send(asked)
        except httpx.RemoteProtocolError as error:  # the service closed a connection that was idle
            if method != "GET":
                raise DownError(str(error)) from error
            answer = await self._again(asked)
        except httpx.HTTPError as error:
            raise DownError(str(error)) from error
        _check(answer)
        told: Record = answer.json()
        return told

    async def _again(self, asked: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(asked)
        except httpx.HTTPError as error:
            raise DownError(str(error)) from error


def part(item: str) -> str:
    """Write an id so that it may stand in a path."""
    return quote(item, safe="")


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        error = answer.json()["error"]
        field, rule = error["field"], str(error["rule"])
    except (ValueError, KeyError, TypeError):
        field, rule = None, answer.reason_phrase
    match answer.status_code:
        case 401:
            raise KeyLostError(rule)
        case 403:
            raise RoleError(rule)
        case 429 | 503:
            raise BusyError(answer.status_code, field, rule)
        case status:
            raise RefusedError(status, field, rule)
