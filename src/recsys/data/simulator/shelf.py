"""Which product is picked: by popularity, taste, price and what is there, the same law for all who are alike."""

import math
from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints
from recsys.data.simulator.catalogue import FAMILIES, LEVELS, Catalogue
from recsys.data.simulator.profile import Profile

PERIOD = 14
"""Days for which the shares of products are held."""
NEW_DAYS = 60
OWN_FAMILY = 5.0
"""How much rather a product of one's own kind of taste is picked."""
LEVEL_AWAY = 1.1
"""Each price level away from one's own divides by e to this power."""
TRIES = 3


@dataclass(frozen=True)
class Shelf:
    """Shares of a category's products by period and kind of member, laid out to be searched.

    steps: (periods * FAMILIES * LEVELS * p,) non-decreasing: in each run of p, category c of run r climbs from
        r * categories + c to the next whole number.
    """

    catalogue: Catalogue
    categories: int
    steps: Floats

    def draw(self, rng: np.random.Generator, category: Ints, family: Ints, level: Ints, time: Floats) -> Ints:
        """Draw a product of each of (n,) categories for a kind of taste and a price level; it may be out of stock."""
        size = len(self.catalogue)
        run = (np.floor(time / PERIOD).astype(np.int64) * FAMILIES + family) * LEVELS + level
        found = np.searchsorted(self.steps, run * self.categories + category + rng.random(len(run)), side="right")
        first = self.catalogue.first
        return np.clip(found - run * size, first[category], first[category + 1] - 1)

    def pick(
        self, rng: np.random.Generator, category: Ints, family: Ints, level: Ints, time: Floats, bargain: Floats
    ) -> tuple[Ints, Flags]:
        """Draw until a product is there; who looks for bargains looks twice for a lower price.

        bargain: (n,) chance to do so. Returns the products, and false where none was found.
        """
        product = self.draw(rng, category, family, level, time)
        again = (rng.random(len(product)) < bargain) & (self.catalogue.markdown_at(product, time) == 0)
        other = self.draw(rng, category, family, level, time)
        better = again & (self.catalogue.markdown_at(other, time) > 0)
        product = np.where(better, other, product)
        there = self.catalogue.sold(product, time)
        for _ in range(TRIES):
            lost = np.flatnonzero(~there)
            if not len(lost):
                break
            product[lost] = self.draw(rng, category[lost], family[lost], level[lost], time[lost])
            there[lost] = self.catalogue.sold(product[lost], time[lost])
        return product, there


def make_shelf(profile: Profile, catalogue: Catalogue, days: int) -> Shelf:
    """Lay the shares of every period and kind of member."""
    starts = PERIOD * np.arange(math.ceil(days / PERIOD) + 1)[:, None]
    on_sale = np.minimum(catalogue.delist, starts + PERIOD) - np.maximum(catalogue.launch, starts)
    young = np.abs(starts - catalogue.launch) < NEW_DAYS
    there = np.clip(on_sale / PERIOD, 0, 1) * np.where(young, profile.novelty, 1.0)
    kinds = np.where(catalogue.family == np.arange(FAMILIES)[:, None], OWN_FAMILY, 1.0)
    levels = np.exp(-LEVEL_AWAY * np.abs(catalogue.level - np.arange(LEVELS)[:, None]))
    weight = (there[:, None, None] * kinds[None, :, None] * levels[None, None] * catalogue.liking).reshape(
        -1, len(catalogue)
    )
    first = catalogue.first[:-1]
    whole = np.add.reduceat(weight, first, axis=1)[:, catalogue.category]
    total = np.cumsum(weight / whole, axis=1)
    before = np.concatenate([np.zeros((len(total), 1)), total], axis=1)[:, first][:, catalogue.category]
    climbed = np.clip(total - before, 0, 1)
    climbed[:, catalogue.first[1:] - 1] = 1.0
    count = len(first)
    runs = np.arange(len(climbed))[:, None] * count
    return Shelf(catalogue, count, (runs + catalogue.category + climbed).ravel())
