"""One variant of a placement on one publication: names become rows, tags become bits, weights become columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from recsys.answers.identity import suffix
from recsys.answers.own import made_by
from recsys.answers.policy import Audience, Boost, Dated, Lists, Live, Pin, Policy, SourceRule
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Tag
from recsys.core.time import EPOCH

RANK_CONSTANT = 60
"""What ranks are counted from when sources are mixed: Cormack, Clarke and Buettcher, SIGIR 2009."""

MAX_REMEMBERED = 256
"""So many mixtures of boosts are remembered."""

_BITS = {tag: 1 << place for place, tag in enumerate(Tag)}
Row = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class When:
    """For whom and on which mall days something holds. first, last: day numbers; any, all: tags as bits, 0 = none."""

    first: int
    last: int
    any: int
    all: int

    @classmethod
    def of(cls, dated: Dated) -> "When":
        """Read what a pin or a boost says."""
        audience: Audience = dated.audience
        return cls(
            _number(dated.first_day, 0),
            _number(dated.last_day, 1 << 40),
            sum(_BITS[tag] for tag in set(audience.any)),
            sum(_BITS[tag] for tag in set(audience.all)),
        )

    def holds(self, day: int, tags: int) -> bool:
        """Tell whether it holds on a day for somebody with these tags."""
        if not self.first <= day <= self.last:
            return False
        return tags & self.all == self.all and (not self.any or tags & self.any != 0)


@dataclass(frozen=True, slots=True)
class Weighted:
    """A source that is mixed. worth: what its candidate of each rank is worth, as far as the policy looks."""

    rule: SourceRule
    worth: tuple[float, ...]


Step = tuple[float, int, int]
"""What a candidate is worth, the place of its source among those that are mixed, and its rank there."""

Doing = tuple[float, int, int, int]
"""How strongly a doing speaks, its kind (0 cart, 1 favourite, 2 viewed), its age (0 = the newest) and for what: 0 = the
product itself, n = its n-th neighbour."""


@dataclass(frozen=True, eq=False)
class Rules:
    """A policy made ready.

    lists: (products,) where the retailer's own lists let a product in; None = everywhere.
    pins: place from 0 on, product row, when; in the order of places. boosts: product row -> factor, when.
    identity: the end of every recommendation_id. live: the doings that count, the strongest first; of equals the cart
    before favourites, the newest, the nearest.
    """

    variant: str
    policy: Policy
    weighted: tuple[Weighted, ...]
    lists: "np.ndarray | None"
    pins: tuple[tuple[int, int, When], ...]
    boosts: tuple[tuple[Mapping[int, float], When], ...]
    identity: str
    live: tuple[Doing, ...]
    mixtures: dict[tuple[int, ...], Mapping[int, float]] = field(default_factory=dict, repr=False)
    orders: dict[tuple[bool, ...], tuple[Step, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, publication: Publication, row: Row, placement: str, variant: str, policy: Policy) -> "Rules":
        """Make a policy ready; what it names and the publication lacks has no effect.

        row: product id -> row.
        """
        version = made_by(publication, policy.model).version
        return cls(
            variant,
            policy,
            tuple(_weighted(rule, policy.depth) for rule in policy.sources if rule.worth > 0),
            _lists(publication, policy),
            tuple(sorted(_pins(policy.pins, row), key=lambda pin: pin[0])),
            tuple((_boosted(publication, row, boost), When.of(boost)) for boost in policy.boosts),
            suffix(placement, variant, publication.name, version),
            _doings(policy.live),
        )

    def order(self, present: tuple[bool, ...]) -> tuple[Step, ...]:
        """Return in which order the candidates of sources come by their weights alone.

        present: whether each of `weighted` has candidates.
        """
        order = self.orders.get(present)
        if order is None:
            steps = [
                (-worth, source, rank)
                for source, weighted in enumerate(self.weighted)
                if present[source]
                for rank, worth in enumerate(weighted.worth)
            ]
            order = self.orders[present] = tuple((-worth, source, rank) for worth, source, rank in sorted(steps))
        return order

    def factors(self, day: int, tags: int) -> Mapping[int, float]:
        """Return the factor of each product that boosts in force speak of."""
        if not self.boosts:
            return {}
        holding = tuple(at for at, (_, when) in enumerate(self.boosts) if when.holds(day, tags))
        factors = self.mixtures.get(holding)
        if factors is None:
            if len(self.mixtures) >= MAX_REMEMBERED:
                self.mixtures.clear()
            factors = self.mixtures[holding] = _product_of([self.boosts[at][0] for at in holding])
        return factors


def _number(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else (day - EPOCH).days


def _weighted(rule: SourceRule, depth: int) -> Weighted:
    return Weighted(rule, tuple(rule.worth / (RANK_CONSTANT + rank) for rank in range(depth)))


def _doings(live: Live) -> tuple[Doing, ...]:
    weights = (live.cart, live.favourites, live.viewed)
    found = [
        (weight * live.decay**age / (1 + place), kind, age, place)
        for kind, weight in enumerate(weights)
        for age in range(live.touches)
        for place in range(live.neighbours + 1)
        if kind or place
    ]
    return tuple(sorted(found, key=lambda doing: (-doing[0], *doing[1:])))


def _pins(pins: tuple[Pin, ...], row: Row) -> list[tuple[int, int, When]]:
    found = ((pin, row(pin.product)) for pin in pins)
    return [(pin.place - 1, at, When.of(pin)) for pin, at in found if at is not None]


def _boosted(publication: Publication, row: Row, boost: Boost) -> dict[int, float]:
    mask = np.zeros(len(publication.products), dtype=bool)
    mask[[at for at in map(row, boost.products) if at is not None]] = True
    mask |= _named(publication.product_category, publication.category_row, boost.categories)
    mask |= _named(publication.product_brand, publication.brand_row, boost.brands)
    return dict.fromkeys(np.flatnonzero(mask).tolist(), boost.factor)


def _product_of(factors: list[Mapping[int, float]]) -> Mapping[int, float]:
    together: dict[int, float] = {}
    for one in factors:
        for row, factor in one.items():
            together[row] = together.get(row, 1.0) * factor
    return together


def _lists(publication: Publication, policy: Policy) -> "np.ndarray | None":
    """(products,) where both lists let a product in, None = everywhere."""
    mask = np.ones(len(publication.products), dtype=bool)
    sides: list[tuple[Lists, np.ndarray, Row]] = [
        (policy.categories, publication.product_category, publication.category_row),
        (policy.brands, publication.product_brand, publication.brand_row),
    ]
    for lists, column, row in sides:
        if lists.allow:
            mask &= _named(column, row, lists.allow)
        mask &= ~_named(column, row, lists.deny)
    return None if mask.all() else mask


def _named(column: "np.ndarray", row: Row, names: tuple[str, ...]) -> "np.ndarray":
    """(products,) where a product's category or brand is one of the names."""
    rows = [at for at in map(row, names) if at is not None]
    return np.isin(column, rows)
