"""How members move between the parts of a segmentation from publication to publication, and which moves are unusual."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from recsys.artifacts.tagging.columns import SegmentColumn
from recsys.artifacts.tagging.settings import AWAY, NONE, AlertRule
from recsys.artifacts.tagging.spec import SegmentValue

BEYOND_CHANCE = 2.0
"""So many standard deviations of a count must a move lie above what was to be expected."""


@dataclass(frozen=True)
class Movement:
    """Who moved whence whither between two publications.

    since, until: ISO days of the two; days: between them.
    values: the parts, those of the later publication first.
    counts: (n + 2) x (n + 2) members by earlier and later part; the last two rows and columns are members of none, and
        members who are away. A row's sum is the part's size before, a column's its size now.
    """

    segment: str
    since: str
    until: str
    days: int
    values: tuple[SegmentValue, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """What rows and columns stand for."""
        return (*(value.code for value in self.values), NONE, AWAY)

    def moved(self, origin: Sequence[str], to: Sequence[str]) -> int:
        """Return how many moved from any of the parts to any of the others; empty = any, who stays is left out."""
        codes = self.codes
        return sum(
            count
            for row, before in zip(self.counts, codes, strict=True)
            for count, after in zip(row, codes, strict=True)
            if before != after and (not origin or before in origin) and (not to or after in to)
        )

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_data` gave."""
        values = tuple(SegmentValue(**value) for value in data["values"])
        counts = tuple(tuple(map(int, row)) for row in data["counts"])
        return cls(**{**data, "values": values, "counts": counts})


@dataclass(frozen=True)
class Alert:
    """A move that more members than usual made.

    moved: members within `days`; expected: the mean of the weeks before, over as many days; rise: moved over expected,
    less 1. origin, to: as the rule has them, empty = any. zh, en: what happened, in words.
    """

    segment: str
    origin: tuple[str, ...]
    to: tuple[str, ...]
    moved: int
    expected: float
    rise: float
    weeks: int
    since: str
    until: str
    days: int
    zh: str
    en: str

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_data` gave."""
        return cls(**{**data, "origin": tuple(data["origin"]), "to": tuple(data["to"])})


def movement(
    before: SegmentColumn,
    after: SegmentColumn,
    keys_before: "np.ndarray",
    keys_after: "np.ndarray",
    days: tuple[str, str],
    length: int,
) -> Movement:
    """Count the moves between two publications.

    keys_before, keys_after: (m,) the members' keys, ascending and distinct, in the order of the columns.
    days: ISO days of the two publications; length: days between them.
    """
    known = {value.code: value for value in (*before.spec.values, *after.spec.values)}
    values = (*after.spec.values, *(known[code] for code in known if code not in after.spec.codes))
    places = {value.code: place for place, value in enumerate(values)}
    wide = len(values) + 2
    everybody = np.union1d(keys_before, keys_after)
    now = _placed(after, keys_after, everybody, places)
    then = _placed(before, keys_before, everybody, places)
    counts = np.bincount(then * wide + now, minlength=wide * wide).reshape(wide, wide)
    whole = tuple(tuple(row) for row in counts.tolist())
    return Movement(after.spec.name, days[0], days[1], length, values, whole)


def _placed(
    column: SegmentColumn, keys: "np.ndarray", everybody: "np.ndarray", places: Mapping[str, int]
) -> "np.ndarray":
    """(everybody,) each one's row or column of the matrix."""
    of_code = np.array([*(places[code] for code in column.spec.codes), len(places)], dtype=np.int64)
    placed = np.full(len(everybody), len(places) + 1, dtype=np.int64)
    placed[np.searchsorted(everybody, keys)] = of_code[np.asarray(column.values, dtype=np.int64)]
    return placed


def alerts(
    rules: Sequence[AlertRule], now: Mapping[str, Movement], before: Mapping[str, Sequence[Movement]]
) -> tuple[Alert, ...]:
    """Return the moves that more members than usual made.

    now: the latest movement of each segmentation. before: earlier ones of the same definition, any order.
    A rule says nothing until earlier movements cover at least half of its weeks. A move counts when it is `up` above
    the mean, beyond chance for a count of such a mean, and made by `least` members.
    """
    found = []
    for rule in rules:
        current = now.get(rule.segment)
        if current is None or current.days < 1:
            continue
        past = [one for one in before.get(rule.segment, ()) if _within(one, current, rule.weeks)]
        covered = sum(one.days for one in past)
        if covered * 2 < rule.weeks * 7:
            continue
        moved = current.moved(rule.origin, rule.to)
        expected = sum(one.moved(rule.origin, rule.to) for one in past) / covered * current.days
        unusual = moved >= (1 + rule.up) * expected and moved - expected >= BEYOND_CHANCE * np.sqrt(expected)
        if unusual and moved >= rule.least:
            found.append(_alert(rule, current, moved, expected))
    return tuple(found)


def _within(earlier: Movement, current: Movement, weeks: int) -> bool:
    """Whether a movement ended in the weeks before the current one began."""
    ended, begins = (np.datetime64(day) for day in (earlier.until, current.since))
    return bool(np.timedelta64(0) <= begins - ended < np.timedelta64(weeks * 7, "D"))


def _alert(rule: AlertRule, current: Movement, moved: int, expected: float) -> Alert:
    rise = moved / expected - 1 if expected else float(moved)
    zh, en = (_words(current, codes) for codes in (rule.origin, rule.to))
    up_zh, up_en = (f"比{rule.weeks}周均值上升{rise:.0%}", f"up {rise:.0%} on the {rule.weeks}-week mean")
    if not expected:
        up_zh, up_en = f"而此前{rule.weeks}周没有", f"where none did in the {rule.weeks} weeks before"
    return Alert(
        rule.segment,
        rule.origin,
        rule.to,
        moved,
        expected,
        rise,
        rule.weeks,
        current.since,
        current.until,
        current.days,
        f"{zh[0]} → {en[0]} {up_zh}（{current.days}天内{moved}人）",
        f"{zh[1]} -> {en[1]} {up_en} ({moved} members in {current.days} days)",
    )


_OUTSIDE = {NONE: ("无分群", "none"), AWAY: ("不在会员中", "away")}


def _words(current: Movement, codes: Sequence[str]) -> tuple[str, str]:
    """Name parts in Chinese and English."""
    if not codes:
        return "任意", "any other"
    named = _OUTSIDE | {value.code: (value.zh, value.en) for value in current.values}
    words = [named.get(code, (code, code)) for code in codes]
    return "、".join(zh for zh, _ in words), " or ".join(en for _, en in words)
