"""Some members' life in the shop, from their first day to their last."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.campaigns import Contacts, make_contacts
from recsys.data.simulator.events import Events, make_events
from recsys.data.simulator.habits import Habits, make_habits
from recsys.data.simulator.lines import Lines
from recsys.data.simulator.members import Members, make_members
from recsys.data.simulator.needs import meet_needs
from recsys.data.simulator.orders import Orders, add_extra, charge
from recsys.data.simulator.visits import Visits, make_visits
from recsys.data.simulator.whims import have_whims, try_launches
from recsys.data.simulator.world import CELLS, World

CELL = 2048
"""Members simulated together: each cell has its own seed, so it is the same whatever is made beside it."""


@dataclass(frozen=True)
class Cell:
    """All that happened to some members; `visits` hold the extra ones that campaigns brought."""

    members: Members
    visits: Visits
    habits: Habits
    contacts: Contacts
    orders: Orders
    events: Events


def live(world: World, number: int, members: int) -> Cell:
    """Simulate the shop's n-th cell.

    members: in the whole shop; the last cell may have fewer than `CELL`.
    """
    first = number * CELL
    count = min(CELL, members - first)
    seeds = np.random.SeedSequence(world.seed, spawn_key=(CELLS, number)).spawn(9)
    who, when, needs, contact, tried, met, whims, money, seen = (np.random.default_rng(seed) for seed in seeds)
    people = make_members(world.profile, first, count, world.days, who)
    visits = make_visits(world.profile, people, world.calendar, when)
    habits = make_habits(world, people, needs)
    contacts = make_contacts(world.profile, world.campaigns, people, world.days, contact)
    lines = Lines.together(
        [
            try_launches(world, people, visits, habits, tried),
            meet_needs(world, people, visits, habits, met),
            have_whims(world, people, visits, habits, whims),
        ]
    )
    grown, bought, is_extra = add_extra(world, visits, contacts, lines, money)
    orders = charge(world, people, grown, contacts, bought, is_extra, money)
    return Cell(people, grown, habits, contacts, orders, make_events(world, people, grown, orders, seen))
