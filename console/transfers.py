"""Files on their way from the service through the console to a browser, and how far they are."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from console.api import Api, ApiError

AS_IT_IS = {"content-encoding": "identity"}
"""Keeps the web server from compressing a file on its way, which takes it twenty times as long."""


@dataclass(eq=False)
class Transfer:
    """One file. size: bytes that went through. ended: the browser has all of it. error: what the service said."""

    api: Api
    person: str
    path: str
    query: Mapping[str, str | int]
    name: str
    size: int = 0
    ended: bool = False
    error: ApiError | None = None

    async def response(self) -> Response:
        """Begin to receive, and answer the browser with what comes."""
        opened = AsyncExitStack()
        try:
            pieces = await opened.enter_async_context(self.api.file(self.path, self.query))
        except ApiError as error:
            self.error = error
            return PlainTextResponse(str(error), 502)
        headers = {"content-disposition": f'attachment; filename="{self.name}"', **AS_IT_IS}
        return StreamingResponse(self._through(opened, pieces), media_type="application/octet-stream", headers=headers)

    async def _through(self, opened: AsyncExitStack, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with opened:
            try:
                async for piece in pieces:
                    self.size += len(piece)
                    yield piece
            except ApiError as error:
                self.error = error
                raise
        self.ended = True


@dataclass
class Transfers:
    """Files that browsers may fetch, each once, by a token that cannot be guessed."""

    _waiting: dict[str, Transfer] = field(default_factory=dict)

    def offer(self, transfer: Transfer) -> str:
        """Return the token to fetch a file by."""
        token = secrets.token_urlsafe(24)
        self._waiting[token] = transfer
        return token

    def take(self, token: str, person: str) -> Transfer | None:
        """Return the file of a token; None = it was fetched already, or is somebody else's."""
        found = self._waiting.get(token)
        return self._waiting.pop(token) if found is not None and found.person == person else None
