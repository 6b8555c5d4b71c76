"""When people shop: weekdays, seasons, the shopping festivals of a Chinese year."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from recsys.core.time import EPOCH
from recsys.data.simulator.arrays import Floats, Ints
from recsys.data.simulator.profile import Category

END = date(2025, 10, 1)
"""The day after the last simulated one."""
NEW_YEARS = (date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10), date(2025, 1, 29))
FESTIVALS = ((6, 16, 3, 1.8), (11, 10, 2, 2.2), (12, 11, 2, 1.4), (3, 7, 2, 1.3), (5, 19, 2, 1.2))
"""Month, day, length in days and lift."""
WEEKS = np.array(
    [
        [1.05, 1.0, 1.0, 1.0, 1.1, 1.0, 0.85],
        [0.75, 0.75, 0.8, 0.85, 1.15, 1.4, 1.3],
        [0.95, 0.9, 0.95, 0.95, 1.05, 1.15, 1.05],
    ]
)
"""Kinds of members by weekday, Monday first."""
HOURS = np.array([0, 7, 9, 11, 13, 15, 17, 19, 21, 22.5, 24])
HOURS_SHARE = np.array([0, 0.01, 0.08, 0.22, 0.35, 0.46, 0.6, 0.78, 0.94, 0.99, 1])
"""Share of a day's visits before each hour."""


@dataclass(frozen=True)
class Calendar:
    """The simulated days, counted from the first.

    start: the first one. days: how many there are.
    clock: (kinds, days + 1) shopping time passed at each midnight for each kind of week: a mean day takes 1.
    season: (c, days) how much a category is wanted on a day, mean about 1.
    """

    start: date
    days: int
    clock: Floats
    season: Floats

    @property
    def first(self) -> int:
        """Days from 1970-01-01 to the first day."""
        return (self.start - EPOCH).days

    def to_shopping(self, time: Floats, kind: Ints) -> Floats:
        """Turn (n,) days within the span into shopping time."""
        return self._each(time, kind, np.arange(self.days + 1.0), self.clock)

    def to_days(self, shopping: Floats, kind: Ints) -> Floats:
        """Turn (n,) shopping times into days; the hour of each is as shops see it."""
        time = np.empty(len(shopping))
        for number, clock in enumerate(self.clock):
            mine = kind == number
            time[mine] = np.interp(shopping[mine], clock, np.arange(self.days + 1.0))
        day = np.minimum(np.floor(time), self.days - 1)
        return np.asarray(day + np.interp(time - day, HOURS_SHARE, HOURS) / 24)

    def _each(self, values: Floats, kind: Ints, xs: Floats, ys: Floats) -> Floats:
        result = np.empty(len(values))
        for number, line in enumerate(ys):
            mine = kind == number
            result[mine] = np.interp(values[mine], xs, line)
        return result


def make_calendar(categories: tuple[Category, ...], days: int) -> Calendar:
    """Lay the span of days that ends before `END`."""
    start = END - timedelta(days=days)
    every = [start + timedelta(days=number) for number in range(days)]
    lift = np.array([_lift(day) for day in every])
    weekday = np.array([day.weekday() for day in every])
    weight = WEEKS[:, weekday] * lift
    weight /= weight.mean(axis=1, keepdims=True)
    clock = np.concatenate([np.zeros((len(WEEKS), 1)), np.cumsum(weight, axis=1)], axis=1)
    year = np.array([day.timetuple().tm_yday for day in every]) / 365.25
    season = [1 + c.season * np.cos(2 * np.pi * (year - (c.peak - 0.5) / 12)) for c in categories]
    return Calendar(start, days, clock, np.array(season))


def _lift(day: date) -> float:
    """Return how much is bought on a day, against the usual."""
    lift = 1.0
    for month, first, length, high in FESTIVALS:
        if 0 <= (day - date(day.year, month, first)).days < length:
            lift *= high
    for new_year in NEW_YEARS:
        away = (day - new_year).days
        if -14 <= away < -1:
            lift *= 1.25
        elif -1 <= away < 6:
            lift *= 0.55
    return lift
