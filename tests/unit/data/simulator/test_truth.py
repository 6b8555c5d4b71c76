from dataclasses import replace

import numpy as np
import pytest

from recsys.data.simulator.campaigns import EFFECT, SENT
from recsys.data.simulator.cell import CELL, Cell, live
from recsys.data.simulator.fashion import FASHION
from recsys.data.simulator.grocery import GROCERY
from recsys.data.simulator.world import World, make_world

SHARP = replace(FASHION, effect=0.25, contacted=0.6, held_out=0.4)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SHARP, 400, 9)


@pytest.fixture(scope="module")
def cell(world: World) -> Cell:
    return live(world, 0, CELL)


def test_the_difference_to_those_held_out_is_the_effect(world: World, cell: Cell) -> None:
    """Orders within a week of the contact, treated less held out, hold the mean true effect within their interval."""
    contacts = cell.contacts
    sent = np.array([campaign.day for campaign in world.campaigns])[contacts.campaign] + SENT
    visits = np.unique(cell.orders.visit)
    line_up = cell.visits.member[visits] * 10_000.0 + cell.visits.time[visits]
    begin, end = (np.searchsorted(line_up, contacts.member * 10_000.0 + sent + days) for days in (0, EFFECT - SENT))
    orders = (end - begin).astype(np.float64)
    treated, held = orders[contacts.treated], orders[~contacts.treated]
    difference = treated.mean() - held.mean()
    error = np.sqrt(treated.var() / len(treated) + held.var() / len(held))
    truth = contacts.effect.mean()
    assert abs(difference - truth) < 3 * error
    assert difference > 5 * error
    moved = contacts.effect > np.quantile(contacts.effect, 0.75)
    assert (orders[contacts.treated & moved].mean() - orders[~contacts.treated & moved].mean()) > 1.5 * difference


def test_nobody_is_moved_who_has_left(world: World, cell: Cell) -> None:
    contacts = cell.contacts
    sent = np.array([campaign.day for campaign in world.campaigns])[contacts.campaign] + SENT
    gone = cell.members.leaves[contacts.member] <= sent
    assert gone.sum() > 100
    assert (contacts.effect[gone] == 0).all()
    assert np.isnan(contacts.extra[gone | ~contacts.treated]).all()


def test_members_buy_by_their_taste(world: World, cell: Cell) -> None:
    owner = cell.visits.member[cell.orders.visit]
    category = world.catalogue.category[cell.orders.product]
    liked = cell.members.taste[owner, category]
    anyone = cell.members.taste[np.random.default_rng(0).permutation(owner), category]
    assert liked.mean() > 2 * anyone.mean()
    kind = world.catalogue.family[cell.orders.product]
    own = cell.members.kinds[owner, kind]
    assert own.mean() > 1.2 * cell.members.kinds[np.random.default_rng(0).permutation(owner), kind].mean()
    price = world.catalogue.level[cell.orders.product]
    by_level = [price[cell.members.level[owner] == level].mean() for level in range(3)]
    assert by_level[0] < by_level[1] < by_level[2]


def test_pioneers_try_launches_and_explorers_look_further() -> None:
    world = make_world(replace(GROCERY, visits=0.4), 200, 2)
    cell = live(world, 0, 1500)
    owner = cell.visits.member[cell.orders.visit]
    new = world.catalogue.launch[cell.orders.product] >= 0
    lines = np.bincount(owner, minlength=1500)
    many = np.flatnonzero(lines > 60)
    tried = np.bincount(owner, weights=new, minlength=1500)[many] / lines[many]
    pair = owner * len(world.catalogue) + cell.orders.product
    distinct = np.bincount(np.unique(pair) // len(world.catalogue), minlength=1500)[many] / lines[many]
    assert np.corrcoef(tried, cell.members.pioneer[many])[0, 1] > 0.3
    assert np.corrcoef(distinct, cell.members.exploration[many])[0, 1] > 0.4


def test_seasons_and_festivals_shape_the_year() -> None:
    world = make_world(SHARP, 365, 4)
    days = np.diff(world.calendar.clock, axis=1).mean(axis=0)
    start = world.calendar.start
    lifted = [day for day in range(365) if (start.toordinal() + day) in range(739_200, 742_000) and days[day] > 1.6]
    months = {type(start).fromordinal(start.toordinal() + day).month for day in lifted}
    assert months == {6, 11}
    names = [category.name for category in SHARP.categories]
    coats = world.calendar.season[names.index("羽绒服")]
    january = [day for day in range(365) if type(start).fromordinal(start.toordinal() + day).month == 1]
    july = [day for day in range(365) if type(start).fromordinal(start.toordinal() + day).month == 7]
    assert coats[january].mean() > 5 * coats[july].mean()
