"""Who the members are: what can be seen of them, and what they are like, which cannot."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints, ladder_of
from recsys.data.simulator.calendar import WEEKS
from recsys.data.simulator.catalogue import ALWAYS, FAMILIES
from recsys.data.simulator.profile import Profile
from recsys.data.simulator.words import CITY_WEIGHTS, CONTACT_CHANNELS, SOURCE_HAZARD, SOURCE_SHARES

OLDEST = 900
"""Days before the span in which the oldest members joined."""
CHILD_MONTHS = (-6.0, 34.0)
"""Age of children, in months, when their parent joins or the span begins, whichever is later."""
MONTH = 365.25 / 12
LEVEL_SHARES = (0.4, 0.4, 0.2)
UNMOVED = 0.3
"""Share of members whom no campaign moves."""
TASTE_FOCUS = 0.45
"""How evenly members like categories and kinds of brands: a Dirichlet's weight on each equal part."""


@dataclass(frozen=True)
class Members:
    """The members of a cell, (m,) or (m, ...) each; days count from the span's first.

    first: number of the first one in the shop. joined: time of joining; below 0 = before the span.
    start: the first time at which the member could visit: when it joined, or 0.
    leaves: time at which the member leaves for good, ALWAYS or more = not in sight. hazard: chance of it on a day.
    visits: visits on a mean day of shopping. regularity: gamma shape of the gaps between. week: kind of week.
    trips: share of visits that mean to buy. impulses: mean lines not needed on a trip. online: share of visits.
    taste: (m, c) share of liking by category. kinds: (m, FAMILIES) by kind of brand. level: price level.
    exploration: share of purchases that look further. bargain: chance of looking for a lower price.
    pioneer: how readily new things are tried, mean 1. moved: how much campaigns move, mean 1.
    pace: factor on all cycles.
    child: birth time of the youngest child, NaN = none. child_told: the shop knows it.
    birth_year: 0 = unknown. birth_day: of its year, from 0.
    city, source, gender, contact: indices (gender 2 = unknown). consent: agrees to personal answers.
    """

    first: int
    joined: Floats
    start: Floats
    leaves: Floats
    hazard: Floats
    visits: Floats
    regularity: Floats
    week: Ints
    trips: Floats
    impulses: Floats
    online: Floats
    taste: Floats
    kinds: Floats
    level: Ints
    exploration: Floats
    bargain: Floats
    pioneer: Floats
    moved: Floats
    pace: Floats
    child: Floats
    child_told: Flags
    birth_year: Ints
    birth_day: Ints
    city: Ints
    source: Ints
    gender: Ints
    contact: Ints
    consent: Flags

    def __len__(self) -> int:
        return len(self.joined)


def make_members(profile: Profile, first: int, count: int, days: int, rng: np.random.Generator) -> Members:
    """Draw members first, ..., first + count - 1."""
    new = rng.random(count) < profile.joined
    joined = np.where(
        new, rng.uniform(0, days, count), -np.floor(OLDEST * rng.random(count) ** 1.5) - rng.random(count)
    )
    start = np.maximum(joined, 0.0)
    source = _pick(rng, SOURCE_SHARES, count)
    hazard = profile.hazard * np.array(SOURCE_HAZARD)[source]
    hazard *= rng.gamma(profile.hazard_shape, 1 / profile.hazard_shape, count)
    life = rng.exponential(1.0, count) / np.maximum(hazard, 1e-9)
    visits = profile.visits * rng.gamma(profile.visit_shape, 1 / profile.visit_shape, count)
    unit = profile.trips * 8, (1 - profile.trips) * 8
    weight = np.array([category.weight for category in profile.categories])
    taste = rng.gamma(TASTE_FOCUS * weight / weight.mean() + 0.02, 1.0, (count, len(weight))) + 1e-9
    kinds = rng.gamma(TASTE_FOCUS, 1.0, (count, FAMILIES)) + 1e-9
    has_child = rng.random(count) < profile.children
    age = rng.uniform(*CHILD_MONTHS, count) * MONTH
    return Members(
        first=first,
        joined=joined,
        start=start,
        leaves=np.minimum(start + life, ALWAYS),
        hazard=hazard,
        visits=np.maximum(visits, 1e-4),
        regularity=profile.regularity * np.exp(rng.normal(0, 0.25, count)),
        week=rng.integers(0, len(WEEKS), count),
        trips=rng.beta(*unit, count),
        impulses=profile.impulses * rng.gamma(2.0, 0.5, count),
        online=rng.beta(profile.online * 2, (1 - profile.online) * 2, count),
        taste=taste / taste.sum(axis=1, keepdims=True),
        kinds=kinds / kinds.sum(axis=1, keepdims=True),
        level=_pick(rng, LEVEL_SHARES, count),
        exploration=np.clip(rng.beta(profile.exploration * 6, (1 - profile.exploration) * 6, count), 0.01, 0.99),
        bargain=rng.beta(1.2, 2.0, count),
        pioneer=rng.gamma(1.2, 1 / 1.2, count),
        moved=np.where(rng.random(count) < UNMOVED, 0.0, rng.gamma(2.0, 0.5, count) / (1 - UNMOVED)),
        pace=np.exp(rng.normal(0, 0.25, count)),
        child=np.where(has_child, start - age, np.nan),
        child_told=has_child & (rng.random(count) < 0.8),
        birth_year=np.where(rng.random(count) < 0.7, rng.integers(1965, 2004, count), 0),
        birth_day=rng.integers(0, 365, count),
        city=_pick(rng, CITY_WEIGHTS, count),
        source=source,
        gender=_pick(rng, (0.62, 0.23, 0.15), count),
        contact=rng.integers(0, len(CONTACT_CHANNELS), count),
        consent=rng.random(count) >= 0.04,
    )


def _pick(rng: np.random.Generator, weights: tuple[float, ...], count: int) -> Ints:
    """Draw (count,) indices by weight."""
    return np.searchsorted(ladder_of(np.array(weights, dtype=np.float64)), rng.random(count), side="right")
