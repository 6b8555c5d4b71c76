"""One address that answers: all that routing, validation and the API page need to know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from recsys.answers.policy import Placements
from recsys.answers.recommend import Answered
from recsys.artifacts.publication import Publication
from recsys.store.keys import Role
from serving.call import Call
from serving.state import State

Body = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """One address that answers.

    name: label in metrics and operation id. path: may have one name in braces, such as `{member_id}`, which an id
        stands for; a path without wins over one with.
    request: the model of the body; with the method GET, of the query, where a list is a name given several times.
    answer: the type that comes back, which is also its schema; `Download` = a file.
    handle: state, request, call -> answer.
    example: a body that works on a publication and the placements in force; None when there is nothing to show.
    role: the lowest one that may call it.
    in_thread: it may take longer than a few milliseconds and must not hold up others; it is given up after `within`
        seconds. A handler that is not in a thread may return an awaitable.
    method: GET or POST; endpoints may share a path when their methods differ.
    body_optional: GET is taken too, and POST without a body.
    status: of an answer that is no failure.
    at_once: gives what `handle` does as JSON, at less cost; None = `handle` and an encoder do.
    """

    name: str
    path: str
    summary: str
    request: type[BaseModel]
    answer: type[Any]
    handle: Callable[[State, Any, Call], Any]
    example: Callable[[Publication, Placements], Body | None]
    role: Role = Role.MALL
    in_thread: bool = False
    within: float = 2.0
    method: Literal["GET", "POST"] = "POST"
    body_optional: bool = False
    status: int = 200
    at_once: Callable[[State, Any, Call], Answered] | None = None


def example_member(publication: Publication) -> str | None:
    """Return a member with a published list, None when there is none."""
    lengths = publication.recommend.start[1:] - publication.recommend.start[:-1]
    return publication.members.text(int(lengths.argmax())) if len(lengths) else None


def no_example(_: Publication, __: Placements) -> Body:
    """Return the body of a request that says nothing."""
    return {}
