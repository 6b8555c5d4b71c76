"""How members' pace drifts: busier months and idler ones, each like the one before."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Floats, Ints
from recsys.data.simulator.calendar import Calendar
from recsys.data.simulator.members import Members
from recsys.data.simulator.profile import Profile

MONTH = 30
"""Days for which a member's pace holds."""
KEPT = 0.94
"""Correlation of the logarithm of pace from one month to the next."""
FAR = 1e7
"""More of any clock than passes: members' clocks stand apart by it on one line."""


@dataclass(frozen=True)
class Moods:
    """Each member's own clock, which runs at the pace of the month.

    shopping: (kinds, k + 1) shopping time at each month's begin and at the span's end, by kind of week.
    pace: (m, k) factor on the rate of visits, mean 1. own: (m, k + 1) own time at the same points.
    """

    shopping: Floats
    pace: Floats
    own: Floats

    def to_own(self, shopping: Floats, week: Ints) -> Floats:
        """Turn (m,) shopping times, one a member, into own time."""
        marks = self.shopping[week]
        month = np.clip((marks <= shopping[:, None]).sum(axis=1) - 1, 0, self.pace.shape[1] - 1)
        who = np.arange(len(shopping))
        return np.asarray(self.own[who, month] + (shopping - marks[who, month]) * self.pace[who, month])

    def to_shopping(self, own: Floats, who: Ints, week: Ints) -> Floats:
        """Turn (n,) own times of members into shopping time; week: (n,) their kind of week."""
        months = self.pace.shape[1]
        line = (self.own[:, :-1] + np.arange(len(self.own))[:, None] * FAR).ravel()
        month = np.clip(np.searchsorted(line, own + who * FAR, side="right") - 1 - who * months, 0, months - 1)
        return np.asarray(self.shopping[week, month] + (own - self.own[who, month]) / self.pace[who, month])


def make_moods(profile: Profile, members: Members, calendar: Calendar, rng: np.random.Generator) -> Moods:
    """Draw every member's pace, month by month: an autoregression of its logarithm, from its law at rest."""
    marks = np.append(np.arange(0, calendar.days, MONTH), calendar.days)
    months = len(marks) - 1
    news = rng.normal(0, profile.drift, (months, len(members)))
    log_pace = np.empty((months, len(members)))
    log_pace[0] = news[0]
    for month in range(1, months):
        log_pace[month] = KEPT * log_pace[month - 1] + np.sqrt(1 - KEPT**2) * news[month]
    pace = np.exp(log_pace.T - profile.drift**2 / 2)
    shopping = calendar.clock[:, marks]
    passed = pace * np.diff(shopping, axis=1)[members.week]
    own = np.concatenate([np.zeros((len(members), 1)), np.cumsum(passed, axis=1)], axis=1)
    return Moods(shopping, pace, own)
