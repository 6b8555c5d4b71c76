"""Model versions: what training left of them, and their promotion, which the `recsys` command does."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.shelf import Shelf, read_shelves
from recsys.core.errors import RequestError
from recsys.store.keys import Role
from serving.call import Call
from serving.endpoint import Endpoint, no_example
from serving.schemas import Request
from serving.standing_endpoints import NothingRequest
from serving.state import State


@dataclass(frozen=True, slots=True)
class ModelTold:
    """A task's model versions."""

    __pydantic_config__ = DESCRIBED
    shelf: Shelf
    """What training left of them."""
    published: str | None
    """The version whose scores are answered from; null = none was published."""


@dataclass(frozen=True, slots=True)
class ModelsTold:
    """All tasks."""

    __pydantic_config__ = DESCRIBED
    models: tuple[ModelTold, ...]
    """By the task's name; none = nothing was trained since this is kept."""


class WhyRequest(Request):
    """The reason for a promotion or a rollback."""

    why: Annotated[str, Field(min_length=1, max_length=500)]
    """Kept in the ledger, with the name of the key."""


class PromoteRequest(WhyRequest):
    """A promotion."""

    force: bool = False
    """Promote against the gate."""


def _models(state: State, _: NothingRequest, __: Call) -> ModelsTold:
    published = state.publication.model_versions if state.ready else {}
    return ModelsTold(tuple(ModelTold(shelf, published.get(shelf.task)) for shelf in read_shelves(state.home.models)))


def _promote(state: State, request: PromoteRequest, call: Call) -> Awaitable[Shelf]:
    return _done(state, "promote", request, call, ("--force",) if request.force else ())


def _roll_back(state: State, request: WhyRequest, call: Call) -> Awaitable[Shelf]:
    return _done(state, "rollback", request, call)


async def _done(state: State, action: str, request: WhyRequest, call: Call, options: tuple[str, ...] = ()) -> Shelf:
    _shelf(state, call.item)
    await state.errands.run((action, call.item, f"--why={request.why}", *options), who=call.caller.name)
    return _shelf(state, call.item)


def _shelf(state: State, task: str) -> Shelf:
    shelves = {shelf.task: shelf for shelf in read_shelves(state.home.models)}
    if task not in shelves:
        raise RequestError("task", f"is none of {', '.join(shelves) or 'those trained, as there are none'}")
    return shelves[task]


MODELS: tuple[Endpoint, ...] = (
    Endpoint(
        "models",
        "/models",
        "The versions of each model",
        NothingRequest,
        ModelsTold,
        _models,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "promote",
        "/models/{task}/promote",
        "Make the challenger the champion, if its gate lets it",
        PromoteRequest,
        Shelf,
        _promote,
        lambda _, __: None,
        role=Role.ADMIN,
    ),
    Endpoint(
        "rollback",
        "/models/{task}/rollback",
        "Bring the champion before this one back",
        WhyRequest,
        Shelf,
        _roll_back,
        lambda _, __: None,
        role=Role.ADMIN,
    ),
)
