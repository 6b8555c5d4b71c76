"""What a tag and a segmentation are: plain frozen data, kept with every publication that has them."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from recsys.artifacts.publication_content import Tag


class Group(StrEnum):
    """What a tag is about."""

    BASIC = "basic"
    """Who the member is."""
    MEMBER = "member"
    """How long, and at which stage, the member has been one."""
    CONSUMPTION = "consumption"
    """What is bought: money, frequency, breadth, price level, discounts."""
    ACTIVITY = "activity"
    """What is done: visits, and recency by channel and hour."""
    STANDING = "standing"
    """What operations call such a member."""


class Pace(StrEnum):
    """How a tag's value moves."""

    STATIC = "static"
    """Once known, it stays."""
    SEMI_STATIC = "semi_static"
    """It changes now and then."""
    DYNAMIC = "dynamic"
    """It changes with what the member does, or leaves undone."""


class Kind(StrEnum):
    """What a tag's values are."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    """Yes or no, never unknown."""


DTYPES = {Kind.NUMBER: "float64", Kind.TEXT: "int32", Kind.FLAG: "bool"}
"""NumPy's name of what a column holds; of texts, places in its labels."""


@dataclass(frozen=True, slots=True)
class TagSpec:
    """One tag.

    name: unique; a tag that reads a feature has the feature's name.
    unit: days, money, share, count, ... or "-".
    zh, en: what people call it; about_zh, about_en: what a value says, and what unknown means.
    feature: the published feature it is; None = a column of its own.
    flag: the standing it tells; None for all other kinds than flags.
    segment: the segmentation whose values it repeats; None = none.
    counts_from: its value grows by one a day until something happens, so its history keeps the day it counts from.
    """

    name: str
    group: Group
    pace: Pace
    kind: Kind
    unit: str
    zh: str
    en: str
    about_zh: str
    about_en: str
    feature: str | None = None
    flag: Tag | None = None
    segment: str | None = None
    counts_from: bool = False

    @property
    def dtype(self) -> str:
        """NumPy's name of what the column holds."""
        return DTYPES[self.kind]

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave; `KeyError`, `TypeError` or `ValueError` when it is something else."""
        flag = data["flag"]
        kinds = {"group": Group(data["group"]), "pace": Pace(data["pace"]), "kind": Kind(data["kind"])}
        return cls(**{**data, **kinds, "flag": None if flag is None else Tag(flag)})


@dataclass(frozen=True, slots=True)
class SegmentValue:
    """One part that a segmentation cuts members into.

    code: what rules and answers name it by. zh, en: what people call it.
    """

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """One way to cut members into parts, of which each has one, or none.

    values: the parts, in the order in which they are shown.
    cuts: the numbers that stood for its relative limits, by name; cut_day: the number of the mall day on which they
        were taken.
    definition: digest of the settings that cut so; members' moves are told between equal ones only.
    """

    name: str
    zh: str
    en: str
    about_zh: str
    about_en: str
    values: tuple[SegmentValue, ...]
    cuts: dict[str, float]
    cut_day: int
    definition: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its values, in their order."""
        return tuple(value.code for value in self.values)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave; `KeyError`, `TypeError` or `ValueError` when it is something else."""
        cuts = {str(name): float(value) for name, value in data["cuts"].items()}
        values = tuple(SegmentValue(**value) for value in data["values"])
        return cls(**{**data, "values": values, "cuts": cuts, "cut_day": int(data["cut_day"])})
