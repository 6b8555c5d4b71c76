"""Tags and segments over HTTP."""

from datetime import UTC, datetime

from recsys.answers.audience.listing import log_member
from recsys.answers.traits import MemberTraits, SegmentsTold, TagsTold, member_traits, segments_told, tag_catalogue
from recsys.store.keys import Role
from serving.call import Call
from serving.endpoint import Endpoint, no_example
from serving.schemas import Request
from serving.standing_endpoints import NothingRequest
from serving.state import State


class MemberTagsRequest(Request):
    """Whose tags are wanted, the path says."""

    history: bool = False
    """Whether to tell how they changed over the publications."""


def _tags(state: State, _: NothingRequest, __: Call) -> TagsTold:
    return tag_catalogue(state.publication)


def _segments(state: State, _: NothingRequest, __: Call) -> SegmentsTold:
    return segments_told(state.publication, state.home.tags)


def _member_tags(state: State, request: MemberTagsRequest, call: Call) -> MemberTraits:
    told = member_traits(state.publication, state.home.tags, call.item, history=request.history)
    with state.audiences.shelf() as shelf:
        log_member(shelf, call.item, "tags", who=call.caller.who, now=datetime.now(UTC))
    return told


TRAITS: tuple[Endpoint, ...] = (
    Endpoint(
        "tags",
        "/tags",
        "The catalogue of tags",
        NothingRequest,
        TagsTold,
        _tags,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "segments",
        "/segments",
        "How members are cut into parts, and how they move",
        NothingRequest,
        SegmentsTold,
        _segments,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
    Endpoint(
        "member_tags",
        "/members/{member_id}/tags",
        "A member's tags and segments, and how they changed",
        MemberTagsRequest,
        MemberTraits,
        _member_tags,
        no_example,
        role=Role.OPS,
        in_thread=True,
        method="GET",
    ),
)
