"""Tags and segments in answers: the catalogue, a member's own, how they changed, and how members move."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.answers.errors import UnknownError
from recsys.answers.shapes import DESCRIBED, Standing
from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.columns import TagValue
from recsys.artifacts.tagging.history import Entry, member_history, timeline
from recsys.artifacts.tagging.settings import NONE
from recsys.artifacts.tagging.spec import Group, Kind, Pace, SegmentSpec

MAX_SIZES = 60
"""So many publications back the sizes of segments are told."""


@dataclass(frozen=True, slots=True)
class TagTold:
    """One tag of the catalogue."""

    __pydantic_config__ = DESCRIBED
    name: str
    """What rules name it by."""
    group: Group
    """What it is about."""
    pace: Pace
    """How its value moves."""
    kind: Kind
    """What its values are."""
    dtype: str
    """How they are stored."""
    unit: str
    """days, money, share, count, ... or `-`."""
    zh: str
    """Chinese name."""
    en: str
    """English name."""
    about_zh: str
    """What a value says, in Chinese."""
    about_en: str
    """What a value says, in English."""
    known: int
    """Members of whom it is known."""
    values: tuple[str, ...]
    """Texts only: all of them, ascending; more than a thousand are not listed."""


@dataclass(frozen=True, slots=True)
class PartTold:
    """One value of a segmentation."""

    __pydantic_config__ = DESCRIBED
    code: str
    """What rules name it by; `none` = members of no value."""
    zh: str
    """Chinese name."""
    en: str
    """English name."""
    size: int
    """Members of it."""
    before: int | None
    """Members of it in the publication before; null = there is none to compare with."""


@dataclass(frozen=True, slots=True)
class MovementTold:
    """Who moved whence whither since the publication before."""

    __pydantic_config__ = DESCRIBED
    since: str
    """The day of the publication before."""
    days: int
    """Days between the two."""
    codes: tuple[str, ...]
    """What rows and columns stand for: values, then `none` and `away`, members who are not in the publication."""
    counts: tuple[tuple[int, ...], ...]
    """Members by value before (rows) and now (columns)."""


@dataclass(frozen=True, slots=True)
class SizesTold:
    """How large the parts were in one publication."""

    __pydantic_config__ = DESCRIBED
    as_of: str
    """Its day."""
    sizes: dict[str, int]
    """Members by code; `none` too."""


@dataclass(frozen=True, slots=True)
class SegmentTold:
    """One segmentation."""

    __pydantic_config__ = DESCRIBED
    name: str
    """What rules name it by."""
    zh: str
    """Chinese name."""
    en: str
    """English name."""
    about_zh: str
    """What it cuts by, in Chinese."""
    about_en: str
    """What it cuts by, in English."""
    cuts: dict[str, float]
    """The limits in force that follow the shop, by name."""
    parts: tuple[PartTold, ...]
    """Its values, last `none`."""
    movement: MovementTold | None
    """Null = there is no publication before it that was cut alike."""
    sizes: tuple[SizesTold, ...]
    """Of this publication and those before it, oldest first."""


@dataclass(frozen=True, slots=True)
class AlertTold:
    """A move that more members than usual made."""

    __pydantic_config__ = DESCRIBED
    segment: str
    """The segmentation."""
    origin: tuple[str, ...]
    """From any of these values; empty = from any."""
    to: tuple[str, ...]
    """To any of these; empty = to any."""
    moved: int
    """So many members."""
    expected: float
    """So many were to be expected, by the weeks before."""
    rise: float
    """How much more, as a share."""
    weeks: int
    """So many weeks before."""
    until: str
    """The day of the publication that found it."""
    zh: str
    """In words, Chinese."""
    en: str
    """In words, English."""


@dataclass(frozen=True, slots=True)
class SegmentsTold:
    """How members are cut, how many there are of each part, and how they move."""

    __pydantic_config__ = DESCRIBED
    segments: tuple[SegmentTold, ...]
    """In the order of the settings."""
    alerts: tuple[AlertTold, ...]
    """Of this publication and of those of the `MAX_SIZES` before it, newest first."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""


@dataclass(frozen=True, slots=True)
class TagsTold:
    """The catalogue of tags."""

    __pydantic_config__ = DESCRIBED
    tags: tuple[TagTold, ...]
    """In the order in which they are shown."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """A tag or segment that changed."""

    __pydantic_config__ = DESCRIBED
    as_of: str
    """The day of the publication that first had it so."""
    name: str
    """The tag or segmentation."""
    before: str | float | bool | None
    """Null = unknown. Of tags that count days from something, the day that they count from."""
    after: str | float | bool | None
    """The same, since then."""


@dataclass(frozen=True, slots=True)
class MemberTraits:
    """A member's tags and segments."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    standing: Standing
    """Of members who opted out nothing is told."""
    tags: dict[str, str | float | bool | None]
    """By name; null = unknown."""
    segments: dict[str, str | None]
    """The code of the member's part, by segmentation; null = none."""
    history: tuple[ChangeTold, ...]
    """What changed, oldest first; empty unless it was asked for."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""


MAX_LABELS = 1000


def tag_catalogue(publication: Publication) -> TagsTold:
    """Tell which tags there are and of how many members each is known."""
    told = []
    for name, column in publication.traits.tags.items():
        spec = column.spec
        about = (spec.zh, spec.en, spec.about_zh, spec.about_en)
        values = column.labels if len(column.labels) <= MAX_LABELS else ()
        kind = (spec.group, spec.pace, spec.kind, spec.dtype, spec.unit)
        told.append(TagTold(name, *kind, *about, column.known(), values))
    return TagsTold(tuple(told), str(publication.as_of), publication.name)


def member_traits(publication: Publication, root: Path, member_id: str, *, history: bool) -> MemberTraits:
    """Tell a member's tags and segments; `UnknownError` when the member is not known.

    root: Home.tags. history: tell what changed, too; empty when nothing was kept of the publication.
    """
    as_of, name = str(publication.as_of), publication.name
    if publication.refused(member_id):
        return MemberTraits(member_id, Standing.OPTED_OUT, {}, {}, (), as_of, name)
    row = publication.members.row(member_id)
    if row is None:
        raise UnknownError("member_id", f"{member_id!r} is no known member")
    traits = publication.traits
    tags: dict[str, TagValue] = {name: column.at(row) for name, column in traits.tags.items()}
    segments = {name: column.at(row) for name, column in traits.segments.items()}
    changes: tuple[ChangeTold, ...] = ()
    if history and timeline(root, publication.name):
        changes = tuple(
            ChangeTold(one.as_of, one.name, one.before, one.after)
            for one in member_history(root, publication, member_id)
        )
    return MemberTraits(member_id, Standing.KNOWN, tags, segments, changes, as_of, name)


def segments_told(publication: Publication, root: Path) -> SegmentsTold:
    """Tell sizes, moves and alerts; without a kept history there are sizes alone.

    root: Home.tags.
    """
    line = timeline(root, publication.name)[-MAX_SIZES:]
    told = tuple(_segment(column.spec, column.sizes(), line) for column in publication.traits.segments.values())
    alerts = tuple(
        AlertTold(
            alert.segment,
            alert.origin,
            alert.to,
            alert.moved,
            alert.expected,
            alert.rise,
            alert.weeks,
            alert.until,
            alert.zh,
            alert.en,
        )
        for entry in reversed(line)
        for alert in entry.alerts
    )
    return SegmentsTold(told, alerts, str(publication.as_of), publication.name)


def _segment(spec: SegmentSpec, sizes: Sequence[int], line: Sequence[Entry]) -> SegmentTold:
    moved = line[-1].movements.get(spec.name) if line else None
    before = {} if moved is None else dict(zip(moved.codes, map(sum, moved.counts), strict=True))
    words = [(value.code, value.zh, value.en) for value in spec.values] + [(NONE, "无", "none")]
    parts = tuple(
        PartTold(code, zh, en, size, before.get(code)) for (code, zh, en), size in zip(words, sizes, strict=True)
    )
    past = [(entry, entry.specs[spec.name]) for entry in line if spec.name in entry.specs]
    series = tuple(
        SizesTold(str(entry.as_of), dict(zip((*one.codes, NONE), entry.sizes[spec.name], strict=True)))
        for entry, one in past
    )
    told = None if moved is None else MovementTold(moved.since, moved.days, moved.codes, moved.counts)
    about = (spec.name, spec.zh, spec.en, spec.about_zh, spec.about_en)
    return SegmentTold(*about, spec.cuts, parts, told, series)
