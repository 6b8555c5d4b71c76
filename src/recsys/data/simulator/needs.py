"""Needs met: each purchase lasts a while, and the next trip after that meets the need again."""

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints, drawn, ladder_of
from recsys.data.simulator.habits import KNOWN, Habits
from recsys.data.simulator.lines import Lines
from recsys.data.simulator.members import Members
from recsys.data.simulator.visits import Visits
from recsys.data.simulator.world import World

SPAN = 8192.0
"""More days than any simulation has: members' times stand apart by it on one line."""
USUAL = np.array([[0.64, 0.88, 1.0]])
"""Cumulative shares of the known products, the dearest first."""
FOUND_SHARE = 0.5
"""Share of purchases that a launch taken into use gets."""
STOCK_UP = 0.35
"""How readily who looks for bargains takes two."""
RETRY = 2.0
"""Days after which a need that found nothing on the shelf is felt again."""


def meet_needs(world: World, members: Members, visits: Visits, habits: Habits, rng: np.random.Generator) -> Lines:
    """Walk all habits at once from purchase to purchase, (habits,) wide; `habits.known` changes on the way."""
    trips = np.flatnonzero(visits.trip)
    line_up = visits.member[trips] * SPAN + visits.time[trips]
    active = np.arange(len(habits))
    due = _first_due(world, members, habits, rng)
    parts = [Lines(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))]
    while len(active):
        owner = habits.member[active]
        place = np.searchsorted(line_up, owner * SPAN + due[active])
        visit = trips[np.minimum(place, len(trips) - 1)] if len(trips) else np.zeros_like(place)
        there = place < len(trips)
        there[there] = visits.member[visit[there]] == owner[there]
        there[there] = visits.time[visit[there]] < habits.end[active[there]]
        active, visit = active[there], visit[there]
        if not len(active):
            break
        time = visits.time[visit]
        product, found = _choose(world, members, habits, active, time, rng)
        stocked = world.catalogue.markdown_at(product, time) > 0
        stocked &= rng.random(len(active)) < STOCK_UP * members.bargain[habits.member[active]]
        quantity = np.where(stocked, 2.0, 1.0)
        parts.append(Lines(visit[found], product[found], quantity[found]))
        gap = _gaps(world, habits, active, time, rng) * quantity
        due[active] = time + np.where(found, gap, RETRY) + 1e-6
    return Lines(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("visit", "product", "quantity"))
    )


def _first_due(world: World, members: Members, habits: Habits, rng: np.random.Generator) -> Floats:
    """Return (n,) when each need is first felt: at a random point of its cycle where it was there before, else soon."""
    start = np.maximum(habits.begin, members.start[habits.member])
    gap = _gaps(world, habits, np.arange(len(habits)), start, rng)
    fresh = (habits.begin > 0) | (members.joined[habits.member] >= 0)
    share = rng.random(len(habits))
    return start + gap * np.where(fresh, np.maximum(share - 0.5, 0), share)


def _gaps(world: World, habits: Habits, which: Ints, time: Floats, rng: np.random.Generator) -> Floats:
    """Draw how long a purchase lasts from a time on; in its season a category is used up faster."""
    shape = world.profile.need_shape
    day = np.minimum(time.astype(np.int64), world.days - 1)
    pace = habits.cycle[which] / world.calendar.season[habits.category[which], day]
    return np.asarray(rng.standard_gamma(shape, len(which)) / shape * pace)


def _choose(
    world: World, members: Members, habits: Habits, active: Ints, time: Floats, rng: np.random.Generator
) -> tuple[Ints, Flags]:
    """Pick a product for each of (n,) needs: a known one unless it is out or the member looks further.

    Returns the products, and false where nothing was on the shelf.
    """
    owner, category = habits.member[active], habits.category[active]
    slot = drawn(rng, USUAL, np.zeros(len(active), dtype=np.int64))
    product = habits.known[active, slot]
    launched = (habits.found_at[active] <= time) & (rng.random(len(active)) < FOUND_SHARE)
    product = np.where(launched, habits.found[active], product)
    there = world.catalogue.sold(product, time)
    look = np.flatnonzero(~there | (rng.random(len(active)) < members.exploration[owner]))
    family = drawn(rng, ladder_of(members.kinds), owner[look])
    seen, there[look] = world.shelf.pick(
        rng, category[look], family, members.level[owner[look]], time[look], members.bargain[owner[look]]
    )
    product[look] = seen
    kept = look[(rng.random(len(look)) < world.profile.adopted) & there[look]]
    habits.known[active[kept], rng.integers(0, KNOWN, len(kept))] = product[kept]
    return product, there
