# mypy: disable-error-code="misc"
"""The service as it is, but for the recommending itself: /recommend answers what BODY_FILE has."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import bentoml
import orjson

from serving.call import Call
from serving.endpoints import BY_NAME
from serving.schemas import RecommendRequest
from serving.service import OPTIONS, Api, DoorService
from serving.state import State

BODY = orjson.Fragment(Path(os.environ["BODY_FILE"]).read_bytes())


def _answer(_state: State, _request: RecommendRequest, _call: Call) -> Any:
    return BODY


class ConstantService(DoorService):
    """Everything of the door is done, and nothing behind it."""

    endpoints = (replace(BY_NAME["recommend"], handle=_answer, at_once=None),)


service = bentoml.service(service_class=ConstantService, **OPTIONS)(Api)
