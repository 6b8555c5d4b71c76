"""What members need again and again: cycles in categories, the products they know there, stages of a child's life."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints, drawn, ladder_of
from recsys.data.simulator.catalogue import ALWAYS
from recsys.data.simulator.members import MONTH, Members
from recsys.data.simulator.profile import Category
from recsys.data.simulator.world import World

KNOWN = 3
"""Products that a member knows in a category."""
GOES_ON = 0.92
"""Share of those who used a stage that go on with the next."""
SAME_BRAND = 0.85
CYCLE_SPREAD = 0.3


@dataclass(frozen=True)
class Habits:
    """A member's need of a category, (n,) each; days count from the span's first.

    cycle: mean days that a usual purchase lasts. begin, end: when it is needed; end ALWAYS = for good.
    staged: it begins and ends with a child's age.
    known: (n, KNOWN) products, the dearest first; changes as the member goes on.
    found, found_at: (n,) a launch taken into use, and since when; ALWAYS = none.
    at: (m, c) the habit's number, -1 = none.
    """

    member: Ints
    category: Ints
    cycle: Floats
    begin: Floats
    end: Floats
    staged: Flags
    known: Ints
    found: Ints
    found_at: Floats
    at: Ints

    def __len__(self) -> int:
        return len(self.member)

    def needed(self, habit: Ints, time: Floats) -> Flags:
        """Tell for each of (n,) habits, -1 = none, whether it is one at that time."""
        return (habit >= 0) & (self.begin[habit] <= time) & (time < self.end[habit])


def make_habits(world: World, members: Members, rng: np.random.Generator) -> Habits:
    """Draw which categories members need, how fast they use them up, and what they know there."""
    has, begin, end = _spans(world, members, rng)
    member, category = (axis.astype(np.int64) for axis in np.nonzero(has))
    at = np.full(has.shape, -1, dtype=np.int64)
    at[member, category] = np.arange(len(member))
    base = np.array([kind.cycle for kind in world.profile.categories])[category]
    stage = np.array([kind.stage is not None for kind in world.profile.categories])
    begins = begin[member, category]
    habits = Habits(
        member=member,
        category=category,
        cycle=base * members.pace[member] * np.exp(rng.normal(0, CYCLE_SPREAD, len(member))),
        begin=begins,
        end=end[member, category],
        staged=stage[category],
        known=_known(world, members, member, category, np.maximum(begins, members.start[member]), rng),
        found=np.zeros(len(member), dtype=np.int64),
        found_at=np.full(len(member), ALWAYS),
        at=at,
    )
    for number, kind in enumerate(world.profile.categories):
        if kind.follows is not None:
            _keep_brand(world, habits, _index(world.profile.categories, kind.follows), number, rng)
    return habits


def _index(categories: tuple[Category, ...], name: str) -> int:
    return [category.name for category in categories].index(name)


def _spans(world: World, members: Members, rng: np.random.Generator) -> tuple[Flags, Floats, Floats]:
    """Return (m, c): whether there is a need within the span, and from when until when."""
    categories = world.profile.categories
    shape = (len(members), len(categories))
    rolled = rng.random(shape)
    repeats = np.array([category.cycle > 0 for category in categories])
    has = repeats & (rolled < 1 - np.exp(-world.profile.needs * members.taste))
    begin = np.repeat(members.start[:, None], len(categories), axis=1)
    end = np.full(shape, ALWAYS)
    early, late = rng.normal(0, 0.4, shape), rng.normal(0, 1, shape)
    parent = ~np.isnan(members.child)
    for number, category in enumerate(categories):
        if category.stage is None:
            continue
        first, last = category.stage
        used = rolled[:, number] < category.uptake
        begin[:, number] = members.child + MONTH * (first + early[:, number])
        if category.follows is not None:
            before = _index(categories, category.follows)
            used = rolled[:, number] < np.where(has[:, before], GOES_ON, category.uptake / 2)
            begin[:, number] = np.where(has[:, before], end[:, before], begin[:, number])
        spread = 0.4 + 0.04 * (last - first)
        end[:, number] = np.maximum(members.child + MONTH * (last + spread * late[:, number]), begin[:, number] + 1)
        has[:, number] = used & parent
    return has & (end > members.start[:, None]) & (begin < world.days), begin, end


def _known(
    world: World, members: Members, member: Ints, category: Ints, time: Floats, rng: np.random.Generator
) -> Ints:
    """Return (n, KNOWN) products that are known when a need begins."""
    owner, kind = np.repeat(member, KNOWN), np.repeat(category, KNOWN)
    family = drawn(rng, ladder_of(members.kinds), owner)
    when = np.minimum(np.repeat(time, KNOWN), world.days - 1.0)
    when = np.maximum(when, 0.0)
    return world.shelf.draw(rng, kind, family, members.level[owner], when).reshape(-1, KNOWN)


def _keep_brand(world: World, habits: Habits, before: int, after: int, rng: np.random.Generator) -> None:
    """Let those who go on from one stage to the next know the same brands there."""
    both = np.flatnonzero((habits.at[:, before] >= 0) & (habits.at[:, after] >= 0))
    old, new = habits.at[both, before], habits.at[both, after]
    first = world.catalogue.first
    size = first[after + 1] - first[after]
    same = first[after] + (habits.known[old] - first[before]) % size
    keep = world.catalogue.brand[same] == world.catalogue.brand[habits.known[old]]
    keep &= rng.random(len(both))[:, None] < SAME_BRAND
    habits.known[new] = np.where(keep, same, habits.known[new])
