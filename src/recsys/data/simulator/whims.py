"""What is bought without need: whims of a trip, and launches tried out."""

import numpy as np

from recsys.data.simulator.arrays import Floats, Ints, drawn, ladder_of
from recsys.data.simulator.catalogue import FAMILIES
from recsys.data.simulator.habits import KNOWN, Habits
from recsys.data.simulator.lines import Lines
from recsys.data.simulator.members import Members
from recsys.data.simulator.needs import SPAN
from recsys.data.simulator.visits import Visits
from recsys.data.simulator.world import World

SEASON_TRIES = 3
TRIAL_DELAY = 16.0
"""Mean days from a launch until those who try it do."""
TRIAL_KEPT = 0.45
MOST_LIKED = 5.0
"""Liking, against the mean, beyond which a launch is tried no more readily."""


def have_whims(world: World, members: Members, visits: Visits, habits: Habits, rng: np.random.Generator) -> Lines:
    """Add to each trip what nobody needed; who has just joined takes one thing at least."""
    profile = world.profile
    trips = np.flatnonzero(visits.trip)
    owner = visits.member[trips]
    mean = members.impulses[owner] * rng.standard_gamma(profile.impulse_shape, len(trips)) / profile.impulse_shape
    least = np.where(visits.joining[trips], max(profile.least, 1), profile.least)
    count = np.maximum(rng.poisson(mean), least)
    visit = np.repeat(trips, count)
    owner, time = visits.member[visit], visits.time[visit]
    category = _categories(world, members, owner, time, rng)
    habit = habits.at[owner, category]
    usual = (habit >= 0) & (rng.random(len(visit)) >= members.exploration[owner])
    product = habits.known[np.maximum(habit, 0), rng.integers(0, KNOWN, len(visit))] if len(habits) else category * 0
    there = usual & world.catalogue.sold(product, time)
    look = np.flatnonzero(~there)
    family = drawn(rng, ladder_of(members.kinds), owner[look])
    seen, there[look] = world.shelf.pick(
        rng, category[look], family, members.level[owner[look]], time[look], members.bargain[owner[look]]
    )
    product[look] = seen
    return Lines(visit[there], product[there], np.ones(int(there.sum())))


def try_launches(world: World, members: Members, visits: Visits, habits: Habits, rng: np.random.Generator) -> Lines:
    """Let members try what was launched, by taste and by how readily they try; some keep it (`habits.found`)."""
    catalogue, profile = world.catalogue, world.profile
    launches = np.flatnonzero((catalogue.launch >= 0) & (catalogue.launch < world.days))
    category = catalogue.category[launches]
    liked = members.taste[:, category] * len(profile.categories)
    liked *= members.kinds[:, catalogue.family[launches]] * FAMILIES
    liked *= np.exp(-np.abs(catalogue.level[launches] - members.level[:, None]))
    chance = profile.trial * members.pioneer[:, None] * np.minimum(liked, MOST_LIKED)
    who, which = np.nonzero(rng.random(chance.shape) < chance)
    product = launches[which]
    felt = np.maximum(catalogue.launch[product], members.start[who]) + rng.exponential(TRIAL_DELAY, len(who))
    trips = np.flatnonzero(visits.trip)
    place = np.searchsorted(visits.member[trips] * SPAN + visits.time[trips], who * SPAN + felt)
    came = place < len(trips)
    visit = trips[place[came]]
    who, product = who[came], product[came]
    time = visits.time[visit]
    habit = habits.at[who, catalogue.category[product]]
    staged = np.array([kind.stage is not None for kind in profile.categories])[catalogue.category[product]]
    fits = (visits.member[visit] == who) & catalogue.sold(product, time)
    fits &= ~staged | habits.needed(habit, time) if len(habits) else ~staged
    kept = fits & (habit >= 0) & (rng.random(len(fits)) < TRIAL_KEPT)
    habits.found[habit[kept]] = product[kept]
    habits.found_at[habit[kept]] = time[kept]
    return Lines(visit[fits], product[fits], np.ones(int(fits.sum())))


def _categories(world: World, members: Members, owner: Ints, time: Floats, rng: np.random.Generator) -> Ints:
    """Draw a category for each of (n,) whims by taste and season; what comes with a child's age is never a whim."""
    free = np.array([kind.stage is None for kind in world.profile.categories])
    ladder = ladder_of(members.taste * free)
    season = world.calendar.season
    day = np.minimum(time.astype(np.int64), world.days - 1)
    category = drawn(rng, ladder, owner)
    wanted = rng.random(len(owner)) * season.max() < season[category, day]
    for _ in range(SEASON_TRIES):
        again = np.flatnonzero(~wanted)
        category[again] = drawn(rng, ladder, owner[again])
        wanted[again] = rng.random(len(again)) * season.max() < season[category[again], day[again]]
    return category
