"""Reading the body of a request, within its limits of size and time."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving.errors import RefusedError
from serving.overload import BODY_SECONDS, Load

MAX_BODY = 512_000

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class HungUpError(Exception):
    """The caller went away before the request was read."""


async def read_body(receive: Receive, load: Load) -> bytes:
    """Return the whole body; `RefusedError` when it is too large or does not come, `HungUpError` when nobody waits."""
    task = load.begin_reading()
    try:
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= MAX_BODY:
            return body
        return await _rest(message, receive)
    except asyncio.CancelledError:
        if task is None or load.end_reading(task):
            raise
        task.uncancel()
        raise RefusedError(408, "body", f"did not come within {BODY_SECONDS:g} seconds") from None
    finally:
        load.end_reading(task)


async def _rest(message: Message, receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise HungUpError
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise RefusedError(413, "body", f"is larger than {MAX_BODY} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
