"""The yardstick: uvicorn and Starlette with one constant answer, of the size that BODY_FILE has."""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BODY = Path(os.environ["BODY_FILE"]).read_bytes()


async def _answer(_: Request) -> Response:
    return Response(BODY, media_type="application/json")


app = Starlette(routes=[Route("/recommend", _answer, methods=["POST"]), Route("/livez", _answer)])
