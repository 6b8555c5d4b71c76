"""All that is the same for every member of a simulated shop."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.calendar import Calendar, make_calendar
from recsys.data.simulator.campaigns import Campaign, make_campaigns
from recsys.data.simulator.catalogue import Catalogue, make_catalogue
from recsys.data.simulator.profile import Profile
from recsys.data.simulator.shelf import Shelf, make_shelf

WORLD, CELLS = 0, 1
"""Branches of the seed."""


@dataclass(frozen=True)
class World:
    """A profile come to life for a span of days and a seed."""

    profile: Profile
    seed: int
    calendar: Calendar
    catalogue: Catalogue
    shelf: Shelf
    campaigns: tuple[Campaign, ...]

    @property
    def days(self) -> int:
        """Length of the span."""
        return self.calendar.days


def make_world(profile: Profile, days: int, seed: int) -> World:
    """Draw what members will find: the same for the same arguments."""
    products, campaigns = (
        np.random.default_rng(part) for part in np.random.SeedSequence(seed, spawn_key=(WORLD,)).spawn(2)
    )
    calendar = make_calendar(profile.categories, days)
    catalogue = make_catalogue(profile, days, products)
    shelf = make_shelf(profile, catalogue, days)
    return World(profile, seed, calendar, catalogue, shelf, make_campaigns(profile, catalogue, days, campaigns))
