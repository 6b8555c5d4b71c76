"""When members come: a renewal process in each one's own time, from joining until leaving."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints, running, within
from recsys.data.simulator.calendar import Calendar
from recsys.data.simulator.members import Members
from recsys.data.simulator.moods import make_moods
from recsys.data.simulator.profile import Profile

SPARE = 6.0
"""Standard deviations of a member's number of visits for which gaps are drawn."""


@dataclass(frozen=True)
class Visits:
    """Visits, (v,) each, a member's together and in their order.

    time: days from the span's first. trip: the visit means to buy. joining: the first visit of who has just joined.
    online: over the net. pace: (m,) each member's pace in the last month, mean 1.
    """

    member: Ints
    time: Floats
    trip: Flags
    joining: Flags
    online: Flags
    pace: Floats

    def __len__(self) -> int:
        return len(self.member)


def make_visits(profile: Profile, members: Members, calendar: Calendar, rng: np.random.Generator) -> Visits:
    """Draw all visits of the span; who joins within it comes, and buys, on that very moment."""
    end = np.minimum(members.leaves, calendar.days)
    moods = make_moods(profile, members, calendar, rng)
    begin, stop = (moods.to_own(calendar.to_shopping(day, members.week), members.week) for day in (members.start, end))
    length = np.maximum(stop - begin, 0)
    mean = members.visits * length
    shape = members.regularity
    count = np.ceil(mean + SPARE * np.sqrt((mean + 1) / shape) + SPARE).astype(np.int64)
    who = np.repeat(np.arange(len(members)), count)
    gaps = rng.standard_gamma(shape[who]) / (shape * members.visits)[who]
    is_first = within(count) == 0
    gaps[is_first] *= rng.random(len(members))
    new = (members.joined >= 0)[who] & is_first
    gaps[new] = 0.0
    passed = running(gaps, count)
    kept = passed < length[who]
    who, new = who[kept], new[kept]
    week = members.week[who]
    time = calendar.to_days(moods.to_shopping(begin[who] + passed[kept], who, week), week)
    inside = time < end[who]
    who, time, new = who[inside], time[inside], new[inside]
    return Visits(
        member=who,
        time=time,
        trip=new | (rng.random(len(who)) < members.trips[who]),
        joining=new,
        online=rng.random(len(who)) < members.online[who],
        pace=moods.pace[:, -1],
    )
