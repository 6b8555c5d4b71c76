"""Items for a member at a placement: sources in the placement's order, its limits, and what to do when they run dry."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from recsys.answers.candidates import Asked, Pool, chunks, pool, recently_bought
from recsys.answers.member import asker
from recsys.answers.policy import Placement, Placements
from recsys.answers.shapes import Fallback, Item, Recommendation, Route, Source
from recsys.artifacts.publication import Publication


@dataclass(frozen=True)
class Filters:
    """What the request wants only; empty or None = everything. Prices are inclusive; an unknown price fits no bound."""

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None


@dataclass(frozen=True)
class Ask:
    """A request for items.

    products: ids of the products around the place: the one shown, those in the cart or in the order.
    exclude: ids that must not come back; those of `products` never do either.
    """

    placement: str
    member_id: str | None = None
    k: int = 10
    products: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    personalised: bool = True


def recommend(publication: Publication, placements: Placements, ask: Ask, *, recommendation_id: str) -> Recommendation:
    """Answer with at most k items, and with at least one as long as any product can be sold that is not excluded."""
    placement = placements.of(ask.placement)
    who = asker(publication, ask.member_id, personalised=ask.personalised)
    products, unknown = _rows(publication, ask.products)
    exclude, also_unknown = _rows(publication, ask.exclude)
    filling = _Filling(
        publication,
        Asked(who.row, products, _categories(publication, ask.filters)),
        _Limits.of(publication, ask.filters, placement.max_per_category),
        ask.k,
        {*products, *exclude} | recently_bought(publication, who.row, days=placement.recent_days),
    )
    filling.fill(placement)
    items = tuple(_item(publication, pick) for pick in (*filling.picks, *filling.kept))
    return Recommendation(
        recommendation_id=recommendation_id,
        placement=ask.placement,
        member_id=ask.member_id,
        standing=who.standing,
        route=_route(items),
        fallbacks=tuple(filling.fallbacks),
        items=items,
        ignored_products=(*unknown, *also_unknown),
        as_of=str(publication.as_of),
        publication=publication.name,
        model_version=publication.model_versions.get("recommend"),
    )


@dataclass(frozen=True)
class _Pick:
    row: int
    pool: Pool
    position: int


@dataclass(frozen=True)
class _Limits:
    """What a product must be to be shown."""

    sellable: "np.ndarray"
    price: "np.ndarray"
    category: "np.ndarray"
    filters: Filters
    wanted: "np.ndarray | None"
    per_category: int | None

    @classmethod
    def of(cls, publication: Publication, filters: Filters, per_category: int | None) -> "_Limits":
        wanted = np.array(_categories(publication, filters), dtype=np.int32) if filters.categories else None
        price, category = publication.product_numbers["price"], publication.product_category
        return cls(publication.sellable, price, category, filters, wanted, per_category)

    def lifted(self, *, filters: bool) -> "_Limits":
        """Without the category limit, and without the request's filters when asked."""
        return _Limits(
            self.sellable,
            self.price,
            self.category,
            Filters() if filters else self.filters,
            None if filters else self.wanted,
            None,
        )

    def keep(self, rows: "np.ndarray") -> "np.ndarray":
        """Return the positions of rows that may be shown."""
        mask = self.sellable[rows]
        if self.wanted is not None:
            mask = mask & np.isin(self.category[rows], self.wanted)
        if self.filters.price_min is not None:
            mask = mask & (self.price[rows] >= self.filters.price_min)
        if self.filters.price_max is not None:
            mask = mask & (self.price[rows] <= self.filters.price_max)
        return np.flatnonzero(mask)


class _Filling:
    """One answer while it is being filled."""

    def __init__(self, publication: Publication, asked: Asked, limits: _Limits, k: int, taken: set[int]) -> None:
        self.publication = publication
        self.asked = asked
        self.limits = limits
        self.k = k
        self.taken = taken
        self.per_category: Counter[int] = Counter()
        self.picks: list[_Pick] = []
        self.kept: list[_Pick] = []
        self.fallbacks: list[Fallback] = []
        self.pools: dict[Source, Pool] = {}

    def fill(self, placement: Placement) -> None:
        for rule in placement.sources:
            if rule.share is not None:
                self.kept.extend(self._take(rule.name, int(rule.share * self.k)))
        for rule in placement.sources:
            self.picks.extend(self._take(rule.name, self._open))
        for source in placement.fallback:
            self._fall_back(source)
        if self._open and self.limits.per_category is not None:
            self._lift("max_per_category", self.limits.lifted(filters=False), placement)
        if self._empty and self.limits.filters != Filters():
            self._lift("filters", self.limits.lifted(filters=True), placement)

    @property
    def _open(self) -> int:
        return self.k - len(self.picks) - len(self.kept)

    @property
    def _empty(self) -> bool:
        return self._open == self.k

    def _fall_back(self, source: Source) -> None:
        if not self._open:
            return
        had = self.k - self._open
        more = list(self._take(source, self._open))
        if more:
            self.picks.extend(more)
            self.fallbacks.append(Fallback(str(source), f"the steps before gave {had} of {self.k} items"))

    def _lift(self, name: str, limits: _Limits, placement: Placement) -> None:
        had = self.k - self._open
        self.limits = limits
        for source in dict.fromkeys((*(rule.name for rule in placement.sources), *placement.fallback)):
            self.picks.extend(self._take(source, self._open))
        if self.k - self._open > had:
            self.fallbacks.append(Fallback(name, f"lifted, as it left {had} of {self.k} items"))

    def _take(self, source: Source, n: int) -> Iterator[_Pick]:
        """Take up to n products of a source that no limit keeps out."""
        if n <= 0:
            return
        if source not in self.pools:
            self.pools[source] = pool(self.publication, source, self.asked)
        candidates = self.pools[source]
        for chunk in chunks(len(candidates.rows)):
            rows = candidates.rows[chunk]
            for position in self.limits.keep(rows).tolist():
                row = int(rows[position])
                if self._admit(row):
                    yield _Pick(row, candidates, chunk.start + position)
                    n -= 1
                    if not n:
                        return

    def _admit(self, row: int) -> bool:
        if row in self.taken:
            return False
        brands = self.limits.filters.brands
        if brands and self.publication.product(row).brand not in brands:
            return False
        category = int(self.limits.category[row])
        limit = self.limits.per_category
        if limit is not None and self.per_category[category] >= limit:
            return False
        self.per_category[category] += 1
        self.taken.add(row)
        return True


def _item(publication: Publication, pick: _Pick) -> Item:
    product = publication.product(pick.row)
    return Item(
        product_id=product.product_id,
        name=product.name,
        category=product.category,
        subcategory=product.subcategory,
        brand=product.brand,
        price=product.price,
        score=pick.pool.score(pick.position),
        source=pick.pool.source,
        reason=pick.pool.reason(pick.position),
    )


def _route(items: tuple[Item, ...]) -> Route:
    sources = {item.source for item in items}
    if sources & {Source.PERSONAL, Source.NEW}:
        return Route.WARM
    return Route.CONTEXT if sources & {Source.TOGETHER, Source.SIMILAR} else Route.COLD


def _rows(publication: Publication, ids: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Split ids into the rows of those known and the ids of the others."""
    found = [(text, publication.products.row(text)) for text in ids]
    return tuple(row for _, row in found if row is not None), tuple(text for text, row in found if row is None)


def _categories(publication: Publication, filters: Filters) -> tuple[int, ...]:
    rows = (publication.category_row(category) for category in filters.categories)
    return tuple(row for row in rows if row is not None)
