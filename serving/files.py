"""Sends a file piece by piece to a caller who may go away."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from serving.body import Message, Receive
from serving.call import Download
from serving.overload import Threads

PIECE_SECONDS = 30.0
"""No piece of a file may take longer to make."""

Send = Callable[[Message], Awaitable[None]]


async def send_file(file: Download, status: int, threads: Threads, receive: Receive, send: Send) -> None:
    """Send a file; one that breaks off is seen by the caller, as its end never comes.

    When the caller goes away no more pieces are made. Whatever happens, the file's chunks are closed in the end.
    """
    named = (b"content-disposition", b'attachment; filename="%b"' % file.name.encode())
    headers = ((b"content-type", file.kind.encode()), named, *file.headers)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while not gone.done():
            piece = await threads.run(next, file.chunks, None, within=PIECE_SECONDS)
            if piece is None:
                await send({"type": "http.response.body", "body": b""})
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        gone.cancel()
        with contextlib.suppress(ValueError):  # a piece that is late is still being made
            await asyncio.get_running_loop().run_in_executor(None, file.chunks.close)


async def _gone(receive: Receive) -> None:
    """Return when the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
