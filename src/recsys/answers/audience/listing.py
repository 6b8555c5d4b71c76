"""What there is to see of audiences and of the audit log; whoever looks is written down there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recsys.answers.audience.alike import Alike, AlikeAnswer
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.pressure import live_audiences
from recsys.answers.audience.preview import mask_of
from recsys.answers.audience.shapes import AudiencePreview
from recsys.answers.errors import UnknownError
from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication
from recsys.store import audiences as store
from recsys.store import audit
from recsys.store.audiences import AudienceVersion, Standing
from recsys.store.audit import Action, Line, Who


@dataclass(frozen=True, slots=True)
class Stratum:
    """Members of like scores, of whom a share is held out."""

    __pydantic_config__ = DESCRIBED
    tenth: int | None
    """1 = the highest tenth of scores; null = members without a score."""
    members: int
    """Members of it in the package."""
    held_out: int
    """Those of them who are left alone."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the members who were picked."""

    __pydantic_config__ = DESCRIBED
    picked: int
    """Members whom the rule picked."""
    opted_out: int
    """Those left out because they refused personalisation."""
    opted_out_of_all: int
    """Members of the shop who refused it; no rule ever picks them."""
    contacted_often: int
    """Those left out because they were contacted often of late."""
    members: int
    """Members in the package."""
    treated: int
    """Those who are to be reached."""
    held_out: int
    """Those who are left alone, for comparison."""
    expected: float | None
    """How many of the treated are expected to do it: the sum of calibrated probabilities; null = the score is none."""
    strata: tuple[Stratum, ...]
    """The package by tenths of the score."""


@dataclass(frozen=True, slots=True)
class AudienceCard:
    """The newest version of an audience."""

    __pydantic_config__ = DESCRIBED
    audience_id: str
    """Its id."""
    name: str
    """Its name."""
    version: int
    """The newest version."""
    status: Standing
    """live = counts as a contact and as overlap; past = its days are over; ended = somebody ended it."""
    created_at: str
    """When the version was made, UTC."""
    created_by: str
    """Whose key made it."""
    live_until: str
    """When its days are over, UTC."""
    members: int
    """Members in the package."""
    treated: int
    """Those who are to be reached."""
    expected: float | None
    """How many of the treated are expected to do it; null = the score is no probability."""
    rule_zh: str
    """Whom it picks, in Chinese."""
    rule_en: str
    """Whom it picks, in English."""
    publication: str
    """The publication it was made of."""


@dataclass(frozen=True, slots=True)
class VersionCard:
    """One version of an audience: frozen, with all that it comes from."""

    __pydantic_config__ = DESCRIBED
    version: int
    """Its number."""
    status: Standing
    """What it is good for."""
    created_at: str
    """When it was made, UTC."""
    created_by: str
    """Whose key made it."""
    live_until: str
    """When its days are over, UTC."""
    asked: dict[str, Any]
    """What was asked for: the rule or template, hold-out, pressure and days; enough to ask again."""
    lineage: dict[str, Any]
    """What it was made of: the rule it came to, publication, model versions."""
    counts: Counts
    """What became of the members."""
    sizes: dict[str, dict[str, int]]
    """Expected bytes of an export, by format and arm."""
    digest: str
    """SHA-256 of the package's manifest, which holds those of its files."""


@dataclass(frozen=True, slots=True)
class AudienceList:
    """All audiences."""

    __pydantic_config__ = DESCRIBED
    audiences: tuple[AudienceCard, ...]
    """The last made first."""


@dataclass(frozen=True, slots=True)
class AudienceDetail:
    """One audience."""

    __pydantic_config__ = DESCRIBED
    audience_id: str
    """Its id."""
    name: str
    """Its name."""
    versions: tuple[VersionCard, ...]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the log of who saw and took what."""

    __pydantic_config__ = DESCRIBED
    number: int
    """Its place in the log."""
    at: str
    """When, UTC."""
    key_id: str
    """Whose key; empty = none, on the service's own machine."""
    who: str
    """The key's name, or the user of the machine."""
    role: str
    """The key's role."""
    action: Action
    """What was done."""
    subject: str
    """The audience, or the member that was looked at; empty = none in particular."""
    version: int | None
    """Its version."""
    members: int | None
    """How many members were shown or given away."""
    told: dict[str, Any]
    """More about it."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A part of the log."""

    __pydantic_config__ = DESCRIBED
    lines: tuple[AuditLine, ...]
    """The newest first."""
    more_before: int | None
    """Ask with this as `before` for the lines that come next; null = these were the last."""


@dataclass(frozen=True)
class AuditAsk:
    """Which lines of the log; before: only those with a lower number; subject, action: None = any."""

    limit: int = 100
    before: int | None = None
    subject: str | None = None
    action: Action | None = None


def list_audiences(shelf: Shelf, *, who: Who, now: datetime) -> AudienceList:
    """Return all audiences; a line in the log."""
    cards = tuple(_card(found, now) for found in store.newest(shelf.engine))
    audit.record(shelf.engine, Line(now, who, Action.LIST, "", told={"audiences": len(cards)}))
    return AudienceList(cards)


def view_audience(shelf: Shelf, audience_id: str, *, who: Who, now: datetime) -> AudienceDetail:
    """Return an audience with its versions; a line in the log. `UnknownError` when there is none of that id."""
    found = store.versions(shelf.engine, audience_id)
    if not found:
        raise UnknownError("audience_id", f"{audience_id!r} is no audience")
    audit.record(shelf.engine, Line(now, who, Action.VIEW, audience_id, found[0].version))
    return detail(found, now)


def others(shelf: Shelf, publication: Publication, now: datetime) -> "dict[str, np.ndarray]":
    """Return whom each live audience is to reach, (members,) masks by the audiences' names."""
    found = live_audiences(shelf.engine, shelf.root, now)
    return {one.name: mask_of(publication, one.treated) for one in found}


def log_preview(shelf: Shelf, told: AudiencePreview, asked: Mapping[str, Any], *, who: Who, now: datetime) -> None:
    """Write down that members were previewed. asked: as JSON."""
    shown = {"asked": dict(asked), "shown": len(told.sample)}
    audit.record(shelf.engine, Line(now, who, Action.PREVIEW, "", members=told.count, told=shown))


def log_alike(shelf: Shelf, told: AlikeAnswer, asked: Alike, *, who: Who, now: datetime) -> None:
    """Write down that members like those of a list were shown; of the list, its size."""
    wanted = {"seeds": len(asked.members), "size": asked.size, "with_seeds": asked.with_seeds}
    shown = {"asked": {"lookalike": wanted}, "shown": len(told.members)}
    audit.record(shelf.engine, Line(now, who, Action.PREVIEW, "", members=told.count, told=shown))


def log_member(shelf: Shelf, member_id: str, what: str, *, who: Who, now: datetime) -> None:
    """Write down that a member was looked at. what: `timeline` or `tags`."""
    audit.record(shelf.engine, Line(now, who, Action.MEMBER, member_id, members=1, told={"shown": what}))


def end_audience(shelf: Shelf, audience_id: str, *, who: Who, now: datetime) -> AudienceDetail:
    """End an audience: it counts as no contact any more and has no next version; a line in the log."""
    if not store.end(shelf.engine, audience_id, now):
        raise UnknownError("audience_id", f"{audience_id!r} is no audience")
    audit.record(shelf.engine, Line(now, who, Action.END, audience_id))
    return detail(store.versions(shelf.engine, audience_id), now)


def read_audit(shelf: Shelf, ask: AuditAsk, *, who: Who, now: datetime) -> AuditPage:
    """Return lines of the log; reading it is a line too, which the next reader sees."""
    found = audit.lines(shelf.engine, limit=ask.limit + 1, before=ask.before, subject=ask.subject, action=ask.action)
    audit.record(shelf.engine, Line(now, who, Action.AUDIT, ask.subject or "", told={"before": ask.before}))
    shown = found[: ask.limit]
    return AuditPage(tuple(map(_audit_line, shown)), shown[-1].number if len(found) > len(shown) else None)


def detail(found: tuple[AudienceVersion, ...], now: datetime) -> AudienceDetail:
    """Tell all versions of an audience, at least one."""
    draft = found[0].draft
    return AudienceDetail(draft.audience_id, draft.name, tuple(_version(one, now) for one in found))


def _card(found: AudienceVersion, now: datetime) -> AudienceCard:
    draft = found.draft
    return AudienceCard(
        audience_id=draft.audience_id,
        name=draft.name,
        version=found.version,
        status=found.standing(now),
        created_at=draft.created_at.isoformat(),
        created_by=draft.created_by,
        live_until=draft.live_until.isoformat(),
        members=draft.counts["members"],
        treated=draft.counts["treated"],
        expected=draft.counts["expected"],
        rule_zh=draft.lineage["rule_zh"],
        rule_en=draft.lineage["rule_en"],
        publication=draft.lineage["publication"],
    )


def _version(found: AudienceVersion, now: datetime) -> VersionCard:
    draft = found.draft
    counts = {**draft.counts, "strata": tuple(Stratum(**one) for one in draft.counts["strata"])}
    return VersionCard(
        found.version,
        found.standing(now),
        draft.created_at.isoformat(),
        draft.created_by,
        draft.live_until.isoformat(),
        dict(draft.asked),
        dict(draft.lineage),
        Counts(**counts),
        dict(draft.sizes),
        draft.digest,
    )


def _audit_line(found: audit.Numbered) -> AuditLine:
    line = found.line
    return AuditLine(
        found.number,
        line.at.isoformat(),
        line.who.key_id,
        line.who.name,
        line.who.role,
        line.action,
        line.subject,
        line.version,
        line.members,
        dict(line.told),
    )
