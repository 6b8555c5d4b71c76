from dataclasses import replace

import numpy as np
import pytest

from recsys.data.simulator.arrays import Floats
from recsys.data.simulator.calendar import make_calendar
from recsys.data.simulator.grocery import GROCERY
from recsys.data.simulator.members import Members, make_members
from recsys.data.simulator.moods import MONTH, make_moods
from recsys.data.simulator.visits import make_visits

DAYS = 250
LASTING = replace(GROCERY, joined=0.0, hazard=1e-9)
CALENDAR = make_calendar(GROCERY.categories, DAYS)


def people(count: int) -> Members:
    return make_members(LASTING, 0, count, DAYS, np.random.default_rng(4))


def test_own_time_and_shopping_time_turn_into_each_other() -> None:
    members = people(300)
    rng = np.random.default_rng(0)
    moods = make_moods(GROCERY, members, CALENDAR, rng)
    shopping = rng.uniform(0, CALENDAR.clock[0, -1], 300)
    own = moods.to_own(shopping, members.week)
    assert moods.to_shopping(own, np.arange(300), members.week) == pytest.approx(shopping)
    slow = []
    for member in range(0, 300, 30):
        clock = CALENDAR.clock[members.week[member]]
        steps = np.append(np.arange(0, shopping[member], 0.01), shopping[member])
        month = np.searchsorted(clock[MONTH:DAYS:MONTH], (steps[1:] + steps[:-1]) / 2, side="right")
        slow.append((np.diff(steps) * moods.pace[member, month]).sum())
    assert own[::30] == pytest.approx(slow, rel=1e-3, abs=0.02)


def test_pace_is_one_on_the_mean_and_drifts_the_farther_the_later() -> None:
    moods = make_moods(GROCERY, people(20_000), CALENDAR, np.random.default_rng(1))
    assert moods.pace.mean(axis=0) == pytest.approx(1, abs=0.03)
    log = np.log(moods.pace)
    assert log.std(axis=0) == pytest.approx(GROCERY.drift, abs=0.02)
    near, far = (np.corrcoef(log[:, 0], log[:, month])[0, 1] for month in (2, 6))
    assert near == pytest.approx(0.94**2, abs=0.02)
    assert far == pytest.approx(0.94**6, abs=0.02)


def test_visits_follow_the_drift() -> None:
    """Counts of two spans of 60 days differ the more the farther apart they lie; without drift, always as much."""
    members = people(3000)

    def changes(drift: float) -> Floats:
        profile = replace(LASTING, drift=drift)
        visits = make_visits(profile, members, CALENDAR, np.random.default_rng(2))
        span = np.minimum(visits.time // 60, 3).astype(np.int64)
        count = np.bincount(visits.member * 4 + span, minlength=len(members) * 4).reshape(-1, 4)
        root = np.sqrt(count + 0.375)
        return np.array([np.var(root[:, lag:] - root[:, :-lag]) for lag in (1, 2, 3)])

    still, drifting = changes(0.0), changes(GROCERY.drift)
    assert still.max() < 1.2 * still.min()
    assert drifting[0] > 1.2 * still[0]
    assert drifting[2] > drifting[1] > drifting[0]
