from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recsys.core.errors import ConfigError

EPOCH = date(1970, 1, 1)
LATEST = date(2199, 12, 31)


@dataclass(frozen=True, order=True)
class AsOf:
    """The first instant of a mall day: everything before it is known, it and everything after is future.

    day: the calendar day in the mall's time zone.
    zone: IANA name of that zone.
    """

    day: date
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Self:
        """Read an ISO day such as `2025-03-31`, 1970 to 2199; `ConfigError` names `as_of` when it is none."""
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise ConfigError("as_of", f"{text!r} is no day; write it as 2025-03-31") from error
        if not EPOCH <= day <= LATEST:
            raise ConfigError("as_of", f"{text} lies outside {EPOCH} to {LATEST}")
        return cls(day, zone)

    @property
    def instant(self) -> datetime:
        """The instant in UTC, timezone-aware."""
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError("timezone", f"{self.zone!r} is no IANA time zone") from error
        return datetime.combine(self.day, time(), zone).astimezone(UTC)

    @property
    def number(self) -> int:
        """Whole days from 1970-01-01 to this day, the unit in which all tables carry days."""
        return (self.day - EPOCH).days

    def plus(self, *, days: int) -> Self:
        """Return the mall day so many calendar days later (earlier when negative)."""
        return type(self)(self.day + timedelta(days=days), self.zone)

    def __str__(self) -> str:
        return self.day.isoformat()


@dataclass(frozen=True)
class Window:
    """The half-open span of mall days [start, end)."""

    start: AsOf
    end: AsOf

    def __post_init__(self) -> None:
        if self.start.zone != self.end.zone or self.start > self.end:
            raise ConfigError("window", f"[{self.start}, {self.end}) is no span of days in one time zone")

    @classmethod
    def after(cls, as_of: AsOf, *, days: int) -> Self:
        """[as_of, as_of + days)."""
        return cls(as_of, as_of.plus(days=days))

    @classmethod
    def before(cls, as_of: AsOf, *, days: int) -> Self:
        """[as_of - days, as_of)."""
        return cls(as_of.plus(days=-days), as_of)

    @property
    def days(self) -> int:
        """Length in days."""
        return self.end.number - self.start.number

    def __contains__(self, day: int) -> bool:
        return self.start.number <= day < self.end.number
