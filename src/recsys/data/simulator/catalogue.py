"""What a simulated shop sells: products with brands, prices, launches, delistings, stock-outs and promotions."""

import math
from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints
from recsys.data.simulator.profile import Category, Profile
from recsys.data.simulator.words import FIRST_SYLLABLES, GENERATIONS, SECOND_SYLLABLES, SERIES

FAMILIES = 6
"""Kinds of taste: a brand speaks to one of them."""
LEVELS = 3
"""Price levels: of brands, and of what members like to pay."""
LEVEL_PRICE = np.array([0.62, 1.0, 1.7])
ALWAYS = 1e6
STOCK_OUTS = 2
"""Stock-outs that a product has at most."""
ANNOUNCED = 28
"""Days after the span for which launches are known already."""


@dataclass(frozen=True)
class Catalogue:
    """All products, each category's together; days count from the span's first.

    category, brand, family, level: (p,) indices. first: (c + 1,) where a category's products begin.
    names, subcategories, packages, brands: texts by product.
    price: (p,) list price. liking: (p,) share of its category's purchases, all else equal.
    launch, delist: (p,) first day of sale and first day after it; -ALWAYS, ALWAYS where it was or will be sold.
    gone, back: (p, STOCK_OUTS) sold out from and until; both ALWAYS where there is none.
    markdown: (p, weeks) share taken off the price.
    """

    category: Ints
    first: Ints
    brand: Ints
    family: Ints
    level: Ints
    names: tuple[str, ...]
    subcategories: tuple[str, ...]
    packages: tuple[str, ...]
    brands: tuple[str, ...]
    price: Floats
    liking: Floats
    launch: Floats
    delist: Floats
    gone: Floats
    back: Floats
    markdown: Floats

    def __len__(self) -> int:
        return len(self.category)

    def sold(self, product: Ints, time: Floats) -> Flags:
        """Tell for each of (n,) products whether it could be bought at that time."""
        listed = (self.launch[product] <= time) & (time < self.delist[product])
        out = (self.gone[product] <= time[:, None]) & (time[:, None] < self.back[product])
        return np.asarray(listed & ~out.any(axis=1))

    def markdown_at(self, product: Ints, time: Floats) -> Floats:
        """Return the share off the price of each of (n,) products at that time."""
        return np.asarray(self.markdown[product, np.asarray(time // 7, dtype=np.int64)])


def make_catalogue(profile: Profile, days: int, rng: np.random.Generator) -> Catalogue:
    """Draw the products of a profile for a span of days."""
    counts = _counts(profile)
    total = int(counts.sum())
    category = np.repeat(np.arange(len(counts)), counts)
    names = _brand_names(profile.brands, rng)
    brand_level = rng.choice(LEVELS, len(names), p=(0.4, 0.4, 0.2))
    brand, parts = _brands(profile.categories, counts, len(names), rng)
    level = brand_level[brand]
    words = [_words(profile.categories[c], n) for c, n in zip(category, parts, strict=True)]
    price = np.array([profile.categories[c].price for c in category]) * LEVEL_PRICE[level]
    price *= np.exp(rng.normal(0, 0.18, total)) * (1 + 0.25 * (parts % 3 - 1))
    liking, best = _liking(profile, counts, rng)
    launch, delist = _life(profile, days, best, rng)
    gone, back = _stock_outs(profile, days, best, rng)
    weeks = math.ceil(days / 7) + 1
    marked = rng.random((total, weeks)) < profile.promoted
    return Catalogue(
        category=category,
        first=np.concatenate([[0], np.cumsum(counts)]),
        brand=brand,
        family=brand % FAMILIES,
        level=level,
        names=tuple(f"{names[b]}{series}{sub} {pack}" for b, (series, sub, pack) in zip(brand, words, strict=True)),
        subcategories=tuple(sub for _, sub, _ in words),
        packages=tuple(pack for _, _, pack in words),
        brands=tuple(names[b] for b in brand),
        price=np.maximum(np.floor(price), 1) + 0.9,
        liking=liking,
        launch=launch,
        delist=delist,
        gone=gone,
        back=back,
        markdown=np.where(marked, rng.choice([0.1, 0.2, 0.3], (total, weeks)), 0.0),
    )


def _counts(profile: Profile) -> Ints:
    share = np.array([category.products for category in profile.categories])
    return np.asarray(np.maximum(np.round(profile.products * share / share.sum()), 6), dtype=np.int64)


def _brand_names(count: int, rng: np.random.Generator) -> list[str]:
    every = [one + two for one in FIRST_SYLLABLES for two in SECOND_SYLLABLES if one != two]
    return [every[number] for number in rng.permutation(len(every))[:count]]


def _brands(categories: tuple[Category, ...], counts: Ints, brands: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return each product's brand and its number within the category; a stage has the brands of the one before."""
    owners: dict[str, Ints] = {}
    for category, count in zip(categories, counts, strict=True):
        if category.follows is not None:
            owners[category.name] = owners[category.follows]
        else:
            owners[category.name] = rng.permutation(brands)[: int(np.clip(count // 5, 3, 12))]
    numbers = [np.arange(count) for count in counts]
    chosen = [owners[c.name][n % len(owners[c.name])] for c, n in zip(categories, numbers, strict=True)]
    return np.concatenate(chosen), np.concatenate(numbers)


def _words(category: Category, number: int) -> tuple[str, str, str]:
    """Return series, subcategory and package of a category's n-th product."""
    sub, pack = category.subcategories, category.packages
    turn, series = divmod(number // (len(sub) * len(pack)), len(SERIES))
    return (
        f"{SERIES[series]}{GENERATIONS[turn % len(GENERATIONS)]}",
        sub[number % len(sub)],
        pack[number // len(sub) % len(pack)],
    )


def _liking(profile: Profile, counts: Ints, rng: np.random.Generator) -> tuple[Floats, Flags]:
    """Return popularity by Zipf's law within each category, and the first of each."""
    ranks = [rng.permutation(count) for count in counts]
    shares = [1 / (rank + 2.0) ** profile.zipf for rank in ranks]
    return np.concatenate([share / share.sum() for share in shares]), np.concatenate([rank == 0 for rank in ranks])


def _life(profile: Profile, days: int, best: Flags, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return launch and delisting days; each category's best was there before and stays."""
    total = len(best)
    new = (rng.random(total) < 1 - np.exp(-profile.launched * (days + ANNOUNCED) / 365)) & ~best
    launch = np.where(new, np.floor(rng.uniform(7, days + ANNOUNCED, total)), -ALWAYS)
    ended = (rng.random(total) < 1 - np.exp(-profile.delisted * days / 365)) & ~best & ~new
    delist = np.where(ended, np.floor(rng.uniform(min(14, days - 1), days, total)), ALWAYS)
    if profile.shelf:
        delist = np.where(new, np.floor(launch + profile.shelf * rng.uniform(0.6, 1.4, total)), delist)
    return launch, delist


def _stock_outs(profile: Profile, days: int, best: Flags, rng: np.random.Generator) -> tuple[Floats, Floats]:
    total = len(best)
    count = np.where(best, 0, np.minimum(rng.poisson(profile.stock_outs * days / 365, total), STOCK_OUTS))
    there = np.arange(STOCK_OUTS) < count[:, None]
    gone = np.floor(rng.uniform(0, days, (total, STOCK_OUTS)))
    back = gone + np.floor(rng.uniform(3, 15, (total, STOCK_OUTS)))
    return np.where(there, gone, ALWAYS), np.where(there, back, ALWAYS)
