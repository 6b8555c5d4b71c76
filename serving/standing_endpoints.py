"""How the shop, a member and the placements stand: what the console shows beside predictions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Annotated, Any

from pydantic import Field

from recsys.answers.audience.listing import log_member
from recsys.answers.explain import Explanation, explain
from recsys.answers.overview import Overview, overview, remembered
from recsys.answers.policy import Placements
from recsys.answers.shapes import DESCRIBED
from recsys.answers.timeline import Timeline, timeline
from recsys.answers.vocabulary import Products, Vocabulary, find_products, vocabulary
from recsys.artifacts.publication import Publication
from recsys.core.folders import MANIFEST
from recsys.store.keys import Role
from serving.call import Call
from serving.endpoint import Body, Endpoint, example_member, no_example
from serving.schemas import MAX_ID, RecommendRequest, Request
from serving.state import State

MAX_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Whose key a request came with."""

    __pydantic_config__ = DESCRIBED
    key_id: str
    """The part of the key that may be told; empty = the service has no keys, and the caller is on its machine."""
    name: str
    """Whose the key is."""
    role: Role
    """What it may do."""


@dataclass(frozen=True, slots=True)
class PlacementTold:
    """One placement."""

    __pydantic_config__ = DESCRIBED
    name: str
    """Its name in requests."""
    zh: str
    """What people call it in Chinese."""
    en: str
    """What they call it in English."""
    policy: dict[str, Any]
    """Its settings, by the names that `placements.toml` has for them."""


@dataclass(frozen=True, slots=True)
class PlacementsTold:
    """The placements in force."""

    __pydantic_config__ = DESCRIBED
    placements: tuple[PlacementTold, ...]
    """In the order of the file."""
    unknown: tuple[str, ...]
    """What they name and the publication does not have, with the setting that names it."""
    refused_setting: str | None
    """The setting for which a newer file is refused; null = none is."""
    refused_rule: str | None
    """What that setting must be."""


class NothingRequest(Request):
    """Nothing but the path says what is wanted."""


class TimelineRequest(Request):
    """Whose timeline is wanted, the path says."""

    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = 200
    """So many entries at most, the newest first."""


class ProductsRequest(Request):
    """Products that are looked for."""

    find: Annotated[str, Field(max_length=MAX_ID)] = ""
    """Part of an id or a name; empty = the popular ones."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    """So many at most."""


def _who(_: State, __: NothingRequest, call: Call) -> WhoAmI:
    return WhoAmI(*call.caller)


def _overview(state: State, _: NothingRequest, __: Call) -> Overview:
    publication = state.publication
    written = (publication.folder / MANIFEST).stat().st_mtime
    at = datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")
    return overview(publication, remembered(state.home.overview), at)


def _timeline(state: State, request: TimelineRequest, call: Call) -> Timeline:
    def doings() -> Any:
        return state.live.doings(call.item, None, time())

    told = timeline(state.publication, call.item, doings, limit=request.limit)
    with state.audiences.shelf() as shelf:
        log_member(shelf, call.item, "timeline", who=call.caller.who, now=datetime.now(UTC))
    return told


def _placements(state: State, _: NothingRequest, __: Call) -> PlacementsTold:
    ready = state.readiness()
    told = tuple(
        PlacementTold(name, placement.title_zh or placement.title, placement.title, placement.model_dump(mode="json"))
        for name, placement in state.placements.placements.items()
    )
    wrong = ready["placements_refused"] or {"setting": None, "rule": None}
    return PlacementsTold(told, tuple(ready["placements_unknown"]), wrong["setting"], wrong["rule"])


def _explain(state: State, request: RecommendRequest, _: Call) -> Explanation:
    ask, now = request.ask(), time()
    return explain(state.desk, ask, doings=lambda: state.live.doings(ask.member_id, ask.anonymous_id, now), now=now)


def _vocabulary(state: State, _: NothingRequest, __: Call) -> Vocabulary:
    return vocabulary(state.publication)


def _products(state: State, request: ProductsRequest, _: Call) -> Products:
    return find_products(state.publication, request.find, request.limit)


def _home(publication: Publication, placements: Placements) -> Body:
    return {"placement": next(iter(placements.placements)), "member_id": example_member(publication), "k": 5}


STANDING: tuple[Endpoint, ...] = (
    Endpoint("whoami", "/whoami", "Whose key this is", NothingRequest, WhoAmI, _who, no_example, method="GET"),
    Endpoint(
        "overview",
        "/overview",
        "How the shop stands, week by week and publication by publication",
        NothingRequest,
        Overview,
        _overview,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "timeline",
        "/members/{member_id}/timeline",
        "What a member did, newest first",
        TimelineRequest,
        Timeline,
        _timeline,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "placements",
        "/placements",
        "The policy of each placement",
        NothingRequest,
        PlacementsTold,
        _placements,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "explain",
        "/placements/explain",
        "What a visit would be shown, and what each rule kept out",
        RecommendRequest,
        Explanation,
        _explain,
        _home,
        role=Role.OPS,
        in_thread=True,
    ),
    Endpoint(
        "vocabulary",
        "/vocabulary",
        "The names that rules and requests may use",
        NothingRequest,
        Vocabulary,
        _vocabulary,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "products",
        "/products",
        "Products by a part of their id or name",
        ProductsRequest,
        Products,
        _products,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
)
