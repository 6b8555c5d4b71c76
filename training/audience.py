"""Audiences from the command line: what the service's endpoints do, by the same functions."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from recsys.answers.audience.alike import Alike
from recsys.answers.audience.callback import deliver, read_callbacks, receiver
from recsys.answers.audience.create import Order, create, parse_wanted
from recsys.answers.audience.export import Export, Part, Wanted, begin_export, find_version
from recsys.answers.audience.formats import Format
from recsys.answers.audience.listing import (
    AuditAsk,
    end_audience,
    list_audiences,
    log_preview,
    others,
    read_audit,
    view_audience,
)
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.preview import preview_audience
from recsys.answers.audience.spec import Spec
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import RequestError
from recsys.core.folders import write_file
from recsys.store.audiences import AudienceVersion
from recsys.store.audit import Who
from recsys.store.database import database
from training.screen import Screen

ROLE = "command"
"""What stands for a role in the audit log where somebody used the command."""


@dataclass(frozen=True)
class Desk:
    """What every command about audiences works with."""

    home: Home
    screen: Screen
    user: str

    @property
    def who(self) -> Who:
        """Whose name stands in the log."""
        return Who("", self.user, ROLE)

    @contextmanager
    def shelf(self) -> Iterator[Shelf]:
        """Open the store."""
        with database(self.home.database) as engine:
            yield Shelf(engine, self.home.audiences)

    def publication(self) -> Publication:
        """Open what is published."""
        return Publication.open_current(self.home.publications)


@dataclass(frozen=True)
class Words:
    """Whom an audience shall have, as it is typed; an empty text and None = not given.

    rule, by: JSON, or the name of a file that holds it. answers: `question=value` each.
    seeds: the name of a file with a member id a line; size: so many members alike to them.
    """

    rule: str = ""
    by: str = ""
    template: str = ""
    answers: tuple[str, ...] = ()
    threshold: float | None = None
    top: int | None = None
    seeds: str = ""
    size: int = 1000

    def wanted(self) -> Spec | Alike | None:
        """Read them; None when nothing was given. `RequestError` names what is wrong."""
        asked: dict[str, Any] = {"template": self.template or None, "threshold": self.threshold, "top": self.top}
        asked["rule"] = _json("rule", self.rule) if self.rule else None
        asked["by"] = _json("by", self.by) if self.by else None
        asked["answers"] = dict(map(_answer, self.answers)) or None
        if self.seeds:
            ids = _text("seeds", Path(self.seeds)).split("\n")
            members = [one.strip() for one in ids if one.strip()]
            asked["lookalike"] = {"members": members, "size": self.size}
        given = {name: value for name, value in asked.items() if value is not None}
        return parse_wanted(given) if given else None


def run_new(desk: Desk, name: str, of: str, words: Words, terms: Mapping[str, Any]) -> None:
    """Make a new audience of a name, or the next version of the audience `of`."""
    order = Order(name or None, of or None, words.wanted(), terms)
    publication = desk.publication()
    with desk.shelf() as shelf:
        made = create(shelf, publication, order, who=desk.who, now=datetime.now(UTC))
    _tell(desk.screen, made)


def run_list(desk: Desk) -> None:
    """List all audiences by their newest versions."""
    with desk.shelf() as shelf:
        found = list_audiences(shelf, who=desk.who, now=datetime.now(UTC)).audiences
    for one in found:
        expected = "" if one.expected is None else f", {one.expected:,.1f} expected"
        counts = f"{one.treated:,} of {one.members:,} to be reached{expected}"
        made = f"{one.created_at[:16].replace('T', ' ')} by {one.created_by}"
        desk.screen.say(f"{one.audience_id}  {one.status:<10}  v{one.version:<3}  {made}  {one.name}: {counts}")
    if not found:
        desk.screen.note("there are no audiences yet; `recsys audience new`")


def run_view(desk: Desk, audience_id: str) -> None:
    """Show an audience with its versions, as JSON."""
    with desk.shelf() as shelf:
        detail = view_audience(shelf, audience_id, who=desk.who, now=datetime.now(UTC))
    desk.screen.say(_dumped(detail))


def run_preview(desk: Desk, words: Words, sample: int) -> None:
    """Tell how large an audience would be, as JSON."""
    wanted = words.wanted()
    if not isinstance(wanted, Spec):
        raise RequestError("rule", "or a template is needed")
    publication, now = desk.publication(), datetime.now(UTC)
    with desk.shelf() as shelf:
        told = preview_audience(publication, wanted, sample=sample, others=others(shelf, publication, now))
        log_preview(shelf, told, wanted.to_data(), who=desk.who, now=now)
    desk.screen.say(_dumped(told))


def run_export(desk: Desk, audience_id: str, version: int | None, wanted: Wanted, to: Path | None) -> None:
    """Write a package to a file; its name is told."""
    with desk.shelf() as shelf:
        export = _begun(desk, shelf, audience_id, version, wanted)
        path = to or Path(export.file_name)
        write_file(path, export.chunks)
    desk.screen.say(str(path))
    _note(desk.screen, export)


def run_send(desk: Desk, audience_id: str, version: int | None, wanted: Wanted) -> None:
    """Send a package to the receiver that `wanted.way` names, signed."""
    callback, secret = receiver(read_callbacks(desk.home.callbacks), wanted.way)
    with desk.shelf() as shelf:
        export = _begun(desk, shelf, audience_id, version, wanted)
        told = deliver(export, callback, secret)
    desk.screen.say(_dumped(told))
    _note(desk.screen, export)


def run_end(desk: Desk, audience_id: str) -> None:
    """End an audience: it counts as no contact any more and has no next version."""
    with desk.shelf() as shelf:
        detail = end_audience(shelf, audience_id, who=desk.who, now=datetime.now(UTC))
    desk.screen.note(f"ended {detail.audience_id} ({detail.name})")


def run_audit(desk: Desk, ask: AuditAsk) -> None:
    """Show lines of the audit log, the newest first."""
    with desk.shelf() as shelf:
        page = read_audit(shelf, ask, who=desk.who, now=datetime.now(UTC))
    for line in page.lines:
        who = f"{line.who} ({line.role}{' ' if line.key_id else ''}{line.key_id})"
        of = "" if line.version is None else f" v{line.version}"
        members = "" if line.members is None else f"  {line.members:,} members"
        told = f"  {json.dumps(line.told, ensure_ascii=False)}" if line.told else ""
        at = line.at[:19].replace("T", " ")
        desk.screen.say(f"{line.number}  {at}  {who}  {line.action}  {line.subject}{of}{members}{told}")


def wanted(kind: str, arm: str, way: str) -> Wanted:
    """Read what shall be given away."""
    for field, value, known in (("format", kind, Format), ("arm", arm, Part)):
        if value not in set(known):
            raise RequestError(field, f"is none of {', '.join(known)}")
    return Wanted(Format(kind), Part(arm), way)


def _begun(desk: Desk, shelf: Shelf, audience_id: str, version: int | None, wanted: Wanted) -> Export:
    found = find_version(shelf.engine, audience_id, version)
    opted_out = desk.publication().opted_out
    return begin_export(shelf, found, wanted, opted_out, who=desk.who, now=datetime.now(UTC))


def _tell(screen: Screen, made: AudienceVersion) -> None:
    draft = made.draft
    counts, sizes = draft.counts, draft.sizes
    screen.say(draft.audience_id)
    screen.note(f"{draft.name}, version {made.version}: {draft.lineage['rule_en']}")
    left_out = f"{counts['opted_out']:,} opted out, {counts['contacted_often']:,} contacted often"
    screen.note(f"picked {counts['picked']:,}; left out: {left_out}")
    screen.note(f"to be reached {counts['treated']:,}, held out {counts['held_out']:,}")
    told = ", ".join(f"{kind} {sizes[kind][Part.TREATED]:,} bytes" for kind in Format)
    screen.note(f"expected size of an export: {told}")


def _note(screen: Screen, export: Export) -> None:
    withheld = f"; {export.withheld:,} opted out since and are left out" if export.withheld else ""
    screen.note(f"{export.members:,} members{withheld}")


def _dumped(told: Any) -> str:
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()


def _json(field: str, text: str) -> Any:
    data = text if text.lstrip().startswith("{") else _text(field, Path(text))
    try:
        return json.loads(data)
    except ValueError as error:
        raise RequestError(field, f"is no JSON: {error}") from error


def _text(field: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(field, f"{path} cannot be read") from error


def _answer(text: str) -> tuple[str, Any]:
    """Read `question=value`; the value is JSON where it is a number or a list, else a text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise RequestError("answer", f"{text!r} is not of the form question=value")
    try:
        told = json.loads(value)
    except ValueError:
        return name, value
    return name, told if isinstance(told, int | float | list) and not isinstance(told, bool) else value
