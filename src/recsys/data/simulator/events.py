"""What members do in the app: they look, search, keep, put into the cart, check in, share; most of it before orders."""

from dataclasses import dataclass

import numpy as np

from recsys.data.schema import EVENT_TYPES
from recsys.data.simulator.arrays import Flags, Floats, Ints, drawn, ladder_of
from recsys.data.simulator.members import Members
from recsys.data.simulator.orders import Orders
from recsys.data.simulator.visits import Visits
from recsys.data.simulator.words import PLACEMENTS
from recsys.data.simulator.world import World

BEFORE = {"view": 0.7, "search": 0.12, "favourite": 0.06, "cart": 0.45}
"""Share of lines ordered over the net that such an event comes before."""
BESIDE = {"favourite": 0.04, "cart": 0.05, "search": 0.06}
"""Share of the products looked at that the event follows, ordered or not."""
OFTEN = {"check_in": 0.12, "share": 0.02}
"""Share of visits."""
HOUR = 1 / 24
SIGNED_OUT = 0.15
"""Share of visits without an order in which nobody signs in."""


@dataclass(frozen=True)
class Events:
    """Events, (n,) each.

    visit: during which visit. kind: index into EVENT_TYPES. product: -1 = none. searched: category, -1 = none.
    place: index into PLACEMENTS. time: days from the span's first. anonymous: nobody had signed in.
    """

    visit: Ints
    kind: Ints
    product: Ints
    searched: Ints
    place: Ints
    time: Floats
    anonymous: Flags

    def __len__(self) -> int:
        return len(self.visit)


def make_events(world: World, members: Members, visits: Visits, orders: Orders, rng: np.random.Generator) -> Events:
    """Draw the events of all visits over the net; those about an order's products lie in the hour before it."""
    ordered = np.flatnonzero(visits.online[orders.visit])
    seen_visit, seen_product = _looked_at(world, members, visits, rng)
    notes = []
    for name, share in BEFORE.items():
        chosen = ordered[rng.random(len(ordered)) < share]
        notes.append(_note(name, orders.visit[chosen], orders.product[chosen]))
    notes.append(_note("view", seen_visit, seen_product))
    for name, share in BESIDE.items():
        chosen = np.flatnonzero(rng.random(len(seen_visit)) < share)
        notes.append(_note(name, seen_visit[chosen], seen_product[chosen]))
    online = np.flatnonzero(visits.online)
    for name, share in OFTEN.items():
        chosen = online[rng.random(len(online)) < share]
        notes.append(_note(name, chosen, np.full(len(chosen), -1)))
    visit, kind, product = np.concatenate(notes, axis=1)
    return _events(world, visits, orders, visit, kind, product, rng)


def _note(name: str, visit: Ints, product: Ints) -> Ints:
    """Return (3, n): visit, kind and product of events of one kind."""
    return np.stack([visit, np.full(len(visit), EVENT_TYPES.index(name)), product])


def _looked_at(world: World, members: Members, visits: Visits, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return visits and products looked at for no reason but taste."""
    online = np.flatnonzero(visits.online)
    visit = np.repeat(online, rng.poisson(world.profile.views, len(online)))
    owner, time = visits.member[visit], visits.time[visit]
    category = drawn(rng, ladder_of(members.taste), owner)
    family = drawn(rng, ladder_of(members.kinds), owner)
    product = world.shelf.draw(rng, category, family, members.level[owner], time)
    there = world.catalogue.sold(product, time)
    return visit[there], product[there]


def _events(
    world: World, visits: Visits, orders: Orders, visit: Ints, kind: Ints, product: Ints, rng: np.random.Generator
) -> Events:
    order = np.argsort(visit, kind="stable")
    visit, kind, product = visit[order], kind[order], product[order]
    searches = kind == EVENT_TYPES.index("search")
    bought = np.zeros(len(visits), dtype=np.bool_)
    bought[orders.visit] = True
    signed_out = ~bought & ~visits.joining & (rng.random(len(visits)) < SIGNED_OUT)
    midnight = np.floor(visits.time)
    time = np.maximum(visits.time[visit] - rng.uniform(0.01, 1, len(visit)) * HOUR, midnight[visit])
    place = rng.integers(0, len(PLACEMENTS), len(visit))
    return Events(
        visit=visit,
        kind=kind,
        product=np.where(searches, -1, product),
        searched=np.where(searches, world.catalogue.category[product], -1),
        place=np.where(searches, PLACEMENTS.index("搜索"), place),
        time=time,
        anonymous=signed_out[visit],
    )
