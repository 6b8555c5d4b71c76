from dataclasses import replace

import numpy as np
import pytest

from recsys.data.simulator.catalogue import ALWAYS
from recsys.data.simulator.habits import make_habits
from recsys.data.simulator.members import make_members
from recsys.data.simulator.mother_and_baby import MOTHER_AND_BABY
from recsys.data.simulator.needs import meet_needs
from recsys.data.simulator.visits import make_visits
from recsys.data.simulator.world import World, make_world

CLOCKWORK = replace(
    MOTHER_AND_BABY,
    categories=tuple(replace(category, season=0.0) for category in MOTHER_AND_BABY.categories),
    products=200,
    need_shape=1e12,
    promoted=0.0,
    launched=0.0,
    delisted=0.0,
    stock_outs=0.0,
    joined=0.3,
    drift=0.0,
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(CLOCKWORK, 300, 5)


def test_a_need_is_met_on_the_first_trip_after_the_last_purchase_is_used_up(world: World) -> None:
    """The walk of all needs at once against one need at a time, where chance has no part in the gaps."""
    rng = np.random.default_rng(0)
    members = make_members(world.profile, 0, 150, world.days, rng)
    visits = make_visits(world.profile, members, world.calendar, rng)
    habits = make_habits(world, members, rng)
    lines = meet_needs(world, members, visits, habits, rng)
    category = world.catalogue.category[lines.product]
    followed = 0
    for habit in range(len(habits)):
        mine = (visits.member[lines.visit] == habits.member[habit]) & (category == habits.category[habit])
        met = np.sort(visits.time[lines.visit[mine]])
        trips = visits.time[(visits.member == habits.member[habit]) & visits.trip]
        trips = trips[trips < habits.end[habit]]
        assert ((met >= habits.begin[habit]) & (met < habits.end[habit])).all()
        nexts: list[float | None] = [*met[1:], None]
        for last, following in zip(met, nexts[: len(met)], strict=True):
            later = trips[trips >= last + habits.cycle[habit]]
            expected = later[0] if len(later) else None
            assert following == (pytest.approx(expected) if expected is not None else None)
            followed += 1
    assert followed > 1000


def test_stages_follow_each_other_mostly_with_the_same_brand(world: World) -> None:
    rng = np.random.default_rng(1)
    members = make_members(world.profile, 0, 2000, world.days, rng)
    habits = make_habits(world, members, rng)
    names = [category.name for category in world.profile.categories]
    first, second = names.index("奶粉1段"), names.index("奶粉2段")
    both = np.flatnonzero((habits.at[:, first] >= 0) & (habits.at[:, second] >= 0))
    old, new = habits.at[both, first], habits.at[both, second]
    assert len(both) > 100
    assert habits.end[old] == pytest.approx(habits.begin[new])
    brand = world.catalogue.brand
    assert (brand[habits.known[old]] == brand[habits.known[new]]).mean() > 0.8
    age = (habits.end[old] - members.child[both]) / 30.44
    assert np.median(age) == pytest.approx(6, abs=0.3)
    assert habits.staged[old].all()
    lasting = ~habits.staged
    assert (habits.end[lasting] == ALWAYS).all()


def test_visits_come_at_each_members_rate_between_joining_and_leaving(world: World) -> None:
    rng = np.random.default_rng(2)
    members = make_members(world.profile, 0, 3000, world.days, rng)
    visits = make_visits(world.profile, members, world.calendar, rng)
    assert (visits.time < np.minimum(members.leaves, world.days)[visits.member]).all()
    assert (np.diff(visits.time)[np.diff(visits.member) == 0] >= 0).all()
    began = np.floor(members.start)
    assert (visits.time >= began[visits.member]).all()
    span = np.maximum(np.minimum(members.leaves, world.days) - members.start, 0)
    expected = members.visits * span
    count = np.bincount(visits.member, minlength=len(members))
    assert count.sum() == pytest.approx(expected.sum(), rel=0.05)
    assert np.corrcoef(count, expected)[0, 1] > 0.9
    newcomers = np.flatnonzero(members.joined >= 0)
    met = visits.member[visits.joining]
    assert len(met) == pytest.approx(len(newcomers), rel=0.01)
    assert visits.trip[visits.joining].all()
