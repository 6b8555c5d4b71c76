"""What requests about audiences look like."""

from typing import Annotated, Any

from pydantic import Field

from recsys.answers.audience.alike import Alike
from recsys.answers.audience.create import Order, parse_wanted
from recsys.answers.audience.export import Part
from recsys.answers.audience.formats import Format
from recsys.answers.audience.listing import AuditAsk
from recsys.answers.audience.pages import MOST, PageAsk
from recsys.answers.audience.pressure import Pressure
from recsys.store.audit import Action
from serving.schemas import Id, Many, Request

MAX_SEEDS = 100_000
MAX_SHOWN = 1000
WANTED = ("rule", "by", "template", "answers", "threshold", "top", "lookalike")
TERMS = ("hold_out", "pressure", "live_days")

Share = Annotated[float, Field(ge=0, le=0.5)]
Days = Annotated[int, Field(ge=1, le=400)]
Size = Annotated[int, Field(ge=1)]


class PressureRequest(Request):
    """A member who was contacted so often within so many days is left out."""

    days: Days = 14
    """Days before now."""
    most: Annotated[int, Field(ge=1, le=1000)] = 2
    """Contacts from which on a member is left out."""


class AlikeRequest(Request):
    """A list of members, to find others like them."""

    members: Many[Id] = Field(min_length=1, max_length=MAX_SEEDS)
    """Ids of the list."""
    size: Size
    """So many members at most."""
    with_seeds: bool = False
    """Whether members of the list may be among those found."""

    def alike(self) -> Alike:
        """Return it as the library's own type."""
        return Alike(self.members, self.size, self.with_seeds)


class LookalikeRequest(AlikeRequest):
    """A list of members whose look-alikes are wanted."""

    shown: Annotated[int, Field(ge=0, le=MAX_SHOWN)] = 20
    """So many of them are listed; make an audience of them to have all."""


class CreateRequest(Request):
    """A new audience of a name, or the next version of an audience: then what is left out is as in its last version."""

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """Name of a new audience; no other may have it."""
    audience_id: Id | None = None
    """The audience of which a next version is made."""
    rule: dict[str, Any] | None = None
    """Whom to take: a rule as /audiences/preview takes it."""
    by: dict[str, Any] | None = None
    """The score that orders a rule's members; null = the first that the rule asks for."""
    template: Id | None = None
    """A scenario of /audiences/templates, in the place of a rule."""
    answers: dict[str, Any] | None = None
    """Answers to the template's questions; null = its defaults."""
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The lowest score."""
    top: Size | None = None
    """So many members, highest scores first."""
    lookalike: AlikeRequest | None = None
    """A list to be alike to, in the place of a rule or a template."""
    hold_out: Share = 0.1
    """Share of members who are left alone, for comparison, drawn alike from every tenth of the score."""
    pressure: PressureRequest | None = PressureRequest()
    """Who was contacted often of late is left out; null = nobody is."""
    live_days: Days = 14
    """So many days it counts as a contact of its members, and as overlap with others."""

    def order(self) -> Order:
        """Return it as the library's own type; `RequestError` names what is wrong with whom it takes."""
        asked = self.model_dump(include={*WANTED}, exclude_none=True)
        terms: dict[str, Any] = {name: getattr(self, name) for name in TERMS if name in self.model_fields_set}
        if isinstance(self.pressure, PressureRequest) and "pressure" in terms:
            terms["pressure"] = Pressure(self.pressure.days, self.pressure.most)
        return Order(self.name, self.audience_id, parse_wanted(asked) if asked else None, terms)


class ExportRequest(Request):
    """What of a package is given away, and how."""

    format: Format = Format.CSV
    """csv is UTF-8 with a byte order mark; jsonl is a JSON object a line."""
    arm: Part = Part.TREATED
    """Those to be reached, those held out, or all."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Of the audience; null = its newest."""


class MembersRequest(Request):
    """Which members of a package are wanted."""

    arm: Part = Part.ALL
    """Those to be reached, those held out, or all."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Of the audience; null = its newest."""
    first: Annotated[int, Field(ge=0)] = 0
    """0 = the first one."""
    count: Annotated[int, Field(ge=1, le=MOST)] = 50
    """So many."""

    def ask(self) -> PageAsk:
        """Return it as the library's own type."""
        return PageAsk(self.arm, self.first, self.count)


class CallbackRequest(ExportRequest):
    """An export that is sent to a receiver, signed."""

    callback: Id
    """A receiver that `callbacks.toml` in the home names."""


class AuditRequest(Request):
    """Which lines of the audit log are wanted."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """So many lines, the newest first."""
    before: Annotated[int, Field(ge=1)] | None = None
    """Only lines with a lower number."""
    subject: Id | None = None
    """Only lines about this audience."""
    action: Action | None = None
    """Only lines of this kind."""

    def ask(self) -> AuditAsk:
        """Return it as the library's own type."""
        return AuditAsk(self.limit, self.before, self.subject, self.action)
