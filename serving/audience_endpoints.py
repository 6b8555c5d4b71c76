"""Audiences and the audit log over HTTP: what the command does, by the same functions."""

from dataclasses import dataclass
from datetime import UTC, datetime

from recsys.answers.audience.alike import AlikeAnswer, tell_alike
from recsys.answers.audience.callback import Delivery, deliver, read_callbacks, receiver
from recsys.answers.audience.create import create
from recsys.answers.audience.export import Export, Wanted, begin_export, find_version
from recsys.answers.audience.listing import (
    AudienceDetail,
    AudienceList,
    AuditPage,
    detail,
    end_audience,
    list_audiences,
    log_alike,
    read_audit,
    view_audience,
)
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.pages import MembersPage, members_page
from recsys.answers.audience.templates import TemplateCard, cards
from recsys.answers.shapes import DESCRIBED
from recsys.store.audiences import versions
from recsys.store.keys import Role
from serving.audience_schemas import (
    AuditRequest,
    CallbackRequest,
    CreateRequest,
    ExportRequest,
    LookalikeRequest,
    MembersRequest,
)
from serving.call import Call, Download
from serving.endpoint import Endpoint, no_example
from serving.standing_endpoints import NothingRequest
from serving.state import State

CREATE_SECONDS = 60.0
SEND_SECONDS = 300.0
OPEN_SECONDS = 20.0
"""An export is verified before it begins: its digests are read over."""


@dataclass(frozen=True, slots=True)
class TemplateList:
    """The scenarios that audiences are made by."""

    __pydantic_config__ = DESCRIBED
    templates: tuple[TemplateCard, ...]
    """Each with its questions."""


def _create(state: State, request: CreateRequest, call: Call) -> AudienceDetail:
    now, order = datetime.now(UTC), request.order()
    with state.audiences.shelf() as shelf:
        made = create(shelf, state.publication, order, who=call.caller.who, now=now)
        return detail(versions(shelf.engine, made.draft.audience_id), now)


def _list(state: State, _: NothingRequest, call: Call) -> AudienceList:
    with state.audiences.shelf() as shelf:
        return list_audiences(shelf, who=call.caller.who, now=datetime.now(UTC))


def _view(state: State, _: NothingRequest, call: Call) -> AudienceDetail:
    with state.audiences.shelf() as shelf:
        return view_audience(shelf, call.item, who=call.caller.who, now=datetime.now(UTC))


def _end(state: State, _: NothingRequest, call: Call) -> AudienceDetail:
    with state.audiences.shelf() as shelf:
        return end_audience(shelf, call.item, who=call.caller.who, now=datetime.now(UTC))


def _export(state: State, request: ExportRequest, call: Call) -> Download:
    with state.audiences.shelf() as shelf:
        export = _begun(state, shelf, request, call, "download")
    sizes = export.version.draft.sizes[request.format]
    told = {"members": export.members, "withheld": export.withheld, "expected-bytes": sizes[request.arm]}
    headers = tuple((f"x-recsys-{name}".encode(), b"%d" % value) for name, value in told.items())
    return Download(request.format.media_type, export.file_name, export.chunks, headers)


def _members(state: State, request: MembersRequest, call: Call) -> MembersPage:
    with state.audiences.shelf() as shelf:
        version = find_version(shelf.engine, call.item, request.version)
        opted_out, now = state.publication.opted_out, datetime.now(UTC)
        return members_page(shelf, version, request.ask(), opted_out, who=call.caller.who, now=now)


def _send(state: State, request: CallbackRequest, call: Call) -> Delivery:
    callback, secret = receiver(read_callbacks(state.home.callbacks), request.callback)
    with state.audiences.shelf() as shelf:
        return deliver(_begun(state, shelf, request, call, request.callback), callback, secret)


def _begun(state: State, shelf: Shelf, request: ExportRequest, call: Call, way: str) -> Export:
    version = find_version(shelf.engine, call.item, request.version)
    wanted = Wanted(request.format, request.arm, way)
    opted_out = state.publication.opted_out
    return begin_export(shelf, version, wanted, opted_out, who=call.caller.who, now=datetime.now(UTC))


def _templates(_: State, __: NothingRequest, ___: Call) -> TemplateList:
    return TemplateList(cards())


def _lookalike(state: State, request: LookalikeRequest, call: Call) -> AlikeAnswer:
    asked = request.alike()
    told = tell_alike(state.publication, asked, shown=request.shown)
    with state.audiences.shelf() as shelf:
        log_alike(shelf, told, asked, who=call.caller.who, now=datetime.now(UTC))
    return told


def _audit(state: State, request: AuditRequest, call: Call) -> AuditPage:
    with state.audiences.shelf() as shelf:
        return read_audit(shelf, request.ask(), who=call.caller.who, now=datetime.now(UTC))


AUDIENCES: tuple[Endpoint, ...] = (
    Endpoint(
        "audience_create",
        "/audiences",
        "Freeze an audience, or its next version, as a package",
        CreateRequest,
        AudienceDetail,
        _create,
        lambda _, __: {"name": f"example {datetime.now(UTC).isoformat()}", "rule": {"score": "churn", "min": 0.5}},
        role=Role.OPS,
        in_thread=True,
        within=CREATE_SECONDS,
        status=201,
    ),
    Endpoint(
        "audiences",
        "/audiences",
        "All audiences",
        NothingRequest,
        AudienceList,
        _list,
        no_example,
        role=Role.OPS,
        in_thread=True,
        within=10.0,
        method="GET",
    ),
    Endpoint(
        "audience_templates",
        "/audiences/templates",
        "The scenarios that audiences are made by, with their questions",
        NothingRequest,
        TemplateList,
        _templates,
        no_example,
        role=Role.OPS,
        method="GET",
    ),
    Endpoint(
        "audience_lookalike",
        "/audiences/lookalike",
        "Members like those of a list",
        LookalikeRequest,
        AlikeAnswer,
        _lookalike,
        lambda _, __: None,
        role=Role.OPS,
        in_thread=True,
        within=CREATE_SECONDS,
    ),
    Endpoint(
        "audience",
        "/audiences/{audience_id}",
        "An audience with its versions, counts and where they come from",
        NothingRequest,
        AudienceDetail,
        _view,
        no_example,
        role=Role.OPS,
        in_thread=True,
        within=10.0,
        method="GET",
    ),
    Endpoint(
        "audience_end",
        "/audiences/{audience_id}/end",
        "End an audience: it counts as no contact any more",
        NothingRequest,
        AudienceDetail,
        _end,
        no_example,
        role=Role.OPS,
        in_thread=True,
        within=10.0,
    ),
    Endpoint(
        "audience_members",
        "/audiences/{audience_id}/members",
        "Members of a package, some at a time",
        MembersRequest,
        MembersPage,
        _members,
        no_example,
        role=Role.OPS,
        in_thread=True,
        within=10.0,
        method="GET",
    ),
    Endpoint(
        "audience_export",
        "/audiences/{audience_id}/export",
        "Download a package",
        ExportRequest,
        Download,
        _export,
        no_example,
        role=Role.OPS,
        in_thread=True,
        within=OPEN_SECONDS,
        method="GET",
    ),
    Endpoint(
        "audience_send",
        "/audiences/{audience_id}/export",
        "Send a package to a receiver, signed",
        CallbackRequest,
        Delivery,
        _send,
        lambda _, __: None,
        role=Role.OPS,
        in_thread=True,
        within=SEND_SECONDS,
    ),
    Endpoint(
        "audit",
        "/audit",
        "Who saw and took what, the newest first",
        AuditRequest,
        AuditPage,
        _audit,
        no_example,
        role=Role.ADMIN,
        in_thread=True,
        within=10.0,
        method="GET",
    ),
)
