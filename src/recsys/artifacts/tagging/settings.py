"""What `segments.toml` says: how members are cut into parts, which moves raise an alert, and who is told."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from recsys.artifacts.tagging.catalogue import CATALOGUE, CHANNEL_PREFIX, HOUR_PREFIX
from recsys.artifacts.tagging.spec import Kind
from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError
from recsys.core.folders import text_digest

NAME = "segments.toml"
CODE = r"^[A-Za-z0-9_-]{1,64}$"
NONE, AWAY = "none", "away"
"""What movements call members of no value, and members who are not in the publication."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(pattern=CODE)]


class Leaf(Settings):
    """A condition on one tag; what is unknown never meets it, unless `unknown` says so.

    min, max: min <= value < max; a number, or the name of one of the segmentation's cuts. is: one of these texts.
    A standing (a tag of the kind flag) takes neither: it holds or not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    tag: str
    among: tuple[Text, ...] = Field(default=(), alias="is")
    min: float | Code | None = None
    max: float | Code | None = None
    unknown: bool = False

    @model_validator(mode="after")
    def _fits_its_tag(self) -> Self:
        kind = _kind(self.tag)
        limited = self.min is not None or self.max is not None
        if kind is Kind.NUMBER and (self.among or not (limited or self.unknown)):
            raise ValueError(f"{self.tag} is a number: give min or max")
        if kind is Kind.TEXT and (limited or not (self.among or self.unknown)):
            raise ValueError(f"{self.tag} is a text: give `is`")
        if kind is Kind.FLAG and (limited or self.among or self.unknown):
            raise ValueError(f"{self.tag} holds or not: give nothing but its name")
        return self


class Cut(Settings):
    """A limit that follows the shop: the lowest value below which at least the share `rank` of members stands."""

    tag: str
    rank: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _of_a_number(self) -> Self:
        if _kind(self.tag) is not Kind.NUMBER:
            raise ValueError(f"{self.tag} is no number")
        return self


class Words(Settings):
    """What people call it."""

    zh: Text
    en: Text


class Value(Words):
    """One part: the first whose conditions all hold is a member's; without conditions it takes all that are left.

    A code may come again with the same words: another way to be of that part.
    """

    code: Code
    when: tuple[Leaf, ...] = ()


class Segmentation(Words):
    """One way to cut members into parts.

    among: who is cut at all; the others have none. cuts: taken among these, and held for `recut_days`: limits that
        moved with every publication would hide that all members move.
    values: the parts, or `from_tag`: the texts of that tag, those of most members first, `most` of them, then `other`.
    words: what such texts are called; others are called as they are.
    """

    about_zh: Text
    about_en: Text
    among: tuple[Leaf, ...] = ()
    cuts: dict[Code, Cut] = Field(default_factory=dict)
    recut_days: int = Field(default=91, ge=1)
    values: tuple[Value, ...] = ()
    from_tag: str | None = None
    most: int = Field(default=12, ge=1, le=1000)
    words: dict[Text, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if bool(self.values) == (self.from_tag is not None):
            raise ValueError("give either values or from_tag")
        if self.from_tag is not None and _kind(self.from_tag) is not Kind.TEXT:
            raise ValueError(f"from_tag: {self.from_tag} is no text")
        words = {(value.code, value.zh, value.en) for value in self.values}
        codes = [code for code, _, _ in words]
        if len(set(codes)) < len(codes):
            raise ValueError("calls one value by two names")
        for leaf in (*self.among, *(leaf for value in self.values for leaf in value.when)):
            for limit in (leaf.min, leaf.max):
                if isinstance(limit, str) and (limit not in self.cuts or self.cuts[limit].tag != leaf.tag):
                    raise ValueError(f"{limit!r} is no cut of {leaf.tag}")
        if any(isinstance(limit, str) for leaf in self.among for limit in (leaf.min, leaf.max)):
            raise ValueError("among: cuts are taken among these members, so no cut can say who they are")
        return self

    @property
    def definition(self) -> str:
        """Digest of what decides a member's part; words do not."""
        data = self.model_dump_json(include={"among", "cuts", "from_tag", "most"})
        return text_digest(data, *(value.model_dump_json(include={"code", "when"}) for value in self.values))


class AlertRule(Settings):
    """A move that is told of when more members than usual make it.

    from, to: codes of the segmentation, `none` and `away` too; left out = any; who stays does not count.
    up: so much above the mean of the `weeks` before, each span counted by its days. least: of fewer members nothing is
    told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    segment: str
    origin: tuple[Text, ...] = Field(default=(), alias="from")
    to: tuple[Text, ...] = ()
    up: float = Field(default=0.4, gt=0)
    weeks: int = Field(default=4, ge=1, le=52)
    least: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.origin or self.to):
            raise ValueError("needs `from` or `to`")
        return self


class Webhook(Settings):
    """Where alerts are posted, signed with the secret that the environment variable holds; see `core/webhook.py`."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret_env: str = Field(min_length=1)


class Formats(Settings):
    """What tells which content format a member prefers.

    words: format -> what contacts call it. sources: source channel -> the format that members won there like sooner.
    held_out: arms of contacts that were sent nothing.
    """

    words: dict[Code, tuple[Text, ...]] = Field(default_factory=dict)
    sources: dict[Text, Code] = Field(default_factory=dict)
    held_out: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _of_known_formats(self) -> Self:
        for source, code in self.sources.items():
            if code not in self.words:
                raise ValueError(f"sources.{source}: {code!r} is none of {', '.join(self.words)}")
        return self


class ContactChannels(Settings):
    """What tells by which channel a member is best contacted.

    sources: source channel -> the channel of contacts that members won there are taken to respond to sooner; a source
    of the same name as a channel needs no line. held_out: arms of contacts that were sent nothing.
    """

    sources: dict[Text, Text] = Field(default_factory=dict)
    held_out: tuple[Text, ...] = ()


class Segments(Settings):
    """The whole file."""

    segments: dict[Code, Segmentation] = Field(default_factory=dict)
    alerts: tuple[AlertRule, ...] = ()
    formats: Formats = Formats()
    contact_channels: ContactChannels = ContactChannels()
    webhook: Webhook | None = None

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        for name in self.segments:
            if name in _KINDS:
                raise ValueError(f"segments.{name}: is the name of a tag")
        return self

    @model_validator(mode="after")
    def _alerts_of_segments(self) -> Self:
        for place, alert in enumerate(self.alerts):
            if alert.segment not in self.segments:
                raise ValueError(f"alerts.{place}.segment: {alert.segment!r} is none of {', '.join(self.segments)}")
            known = {value.code for value in self.segments[alert.segment].values}
            strange = {*alert.origin, *alert.to} - known - {NONE, AWAY}
            if known and strange:
                raise ValueError(f"alerts.{place}: {min(strange)!r} is no value of {alert.segment}")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; `ConfigError` names the first setting that is wrong."""
        return cls._of(read_toml(path), path.name)

    @classmethod
    def of_home(cls, root: Path) -> Self:
        """Read `segments.toml` of a home, or, where there is none, the one that comes with the library."""
        own = root / NAME
        with_library = Path(str(files("recsys.artifacts.tagging") / NAME))
        return cls.read(own if own.is_file() else with_library)

    @property
    def digest(self) -> str:
        """Digest of all that a publication depends on."""
        return text_digest(self.model_dump_json(include={"segments", "formats", "contact_channels"}))

    @classmethod
    def _of(cls, data: Mapping[str, Any], name: str) -> Self:
        try:
            return cls.checked(dict(data))
        except ConfigError as error:
            setting = str(error.fields["setting"])
            raise ConfigError(f"{name}: {setting}" if setting else name, str(error.fields["rule"])) from error


_KINDS = {spec.name: spec.kind for spec in CATALOGUE if spec.segment is None}


def _kind(tag: str) -> Kind:
    kind = Kind.NUMBER if tag.startswith((CHANNEL_PREFIX, HOUR_PREFIX)) else _KINDS.get(tag)
    if kind is None:
        raise ValueError(f"{tag!r} is no tag that members can be cut by")
    return kind
