"""Items for a member at a placement: sources in the placement's order, its limits, and what to do when they run dry."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from recsys.answers.candidates import Asked, Pool, chunks, pool, recently_bought
from recsys.answers.member import asker
from recsys.answers.policy import Placement, Placements
from recsys.answers.shapes import Fallback, Item, Recommendation, Route, Source
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError


@dataclass(frozen=True)
class Filters:
    """What the request wants only; empty or None = everything. Prices are inclusive; an unknown price fits no bound.

    Categories and brands that are not known fit nothing; an answer tells them.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None

    def __post_init__(self) -> None:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise RequestError("filters.price_max", "lies below filters.price_min")


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
    products, unknown = _rows(publication.products.row, ask.products)
    exclude, also_unknown = _rows(publication.products.row, ask.exclude)
    categories, no_categories = _rows(publication.category_row, ask.filters.categories)
    brands, no_brands = _rows(publication.brand_row, ask.filters.brands)
    filling = _Filling(
        publication,
        Asked(who.row, products, categories),
        _Limits.of(publication, ask.filters, categories, brands, placement.max_per_category),
        ask.k,
        taken={*products, *exclude},
        recent=recently_bought(publication, who.row, days=placement.recent_days),
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
        ignored_categories=no_categories,
        ignored_brands=no_brands,
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
    """What a product must be to be shown; None = anything."""

    publication: Publication
    price_min: float | None
    price_max: float | None
    categories: "np.ndarray | None"
    brands: "np.ndarray | None"
    per_category: int | None

    @classmethod
    def of(
        cls,
        publication: Publication,
        filters: Filters,
        categories: tuple[int, ...],
        brands: tuple[int, ...],
        per_category: int | None,
    ) -> "_Limits":
        return cls(
            publication,
            filters.price_min,
            filters.price_max,
            np.array(categories, dtype=np.int32) if filters.categories else None,
            np.array(brands, dtype=np.int32) if filters.brands else None,
            per_category,
        )

    @property
    def are_filters(self) -> bool:
        """Whether the request wants anything in particular."""
        wanted = (self.price_min, self.price_max, self.categories, self.brands)
        return any(one is not None for one in wanted)

    def without_category_limit(self) -> "_Limits":
        return replace(self, per_category=None)

    def without_filters(self) -> "_Limits":
        return _Limits(self.publication, None, None, None, None, None)

    def keep(self, rows: "np.ndarray") -> "np.ndarray":
        """Return the positions of rows that may be shown."""
        mask = self.publication.sellable[rows]
        if self.categories is not None:
            mask = mask & np.isin(self.publication.product_category[rows], self.categories)
        if self.brands is not None:
            mask = mask & np.isin(self.publication.product_brand[rows], self.brands)
        if self.price_min is not None or self.price_max is not None:
            price = self.publication.product_numbers["price"][rows]
            low, high = (-np.inf if self.price_min is None else self.price_min), self.price_max
            mask = mask & (price >= low) & (price <= (np.inf if high is None else high))
        return np.flatnonzero(mask)


class _Filling:
    """One answer while it is being filled."""

    def __init__(
        self, publication: Publication, asked: Asked, limits: _Limits, k: int, *, taken: set[int], recent: set[int]
    ) -> None:
        self.publication = publication
        self.asked = asked
        self.limits = limits
        self.k = k
        self.taken = taken
        self.recent = recent
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
            self.limits = self.limits.without_category_limit()
            self._lifted("max_per_category", placement)
        if self._empty and self.limits.are_filters:
            self.limits = self.limits.without_filters()
            self._lifted("filters", placement)
        if self._empty and self.recent:
            self.recent = set()
            self._lifted("recently_bought", placement)

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

    def _lifted(self, name: str, placement: Placement) -> None:
        """Go through all sources again now that a limit was lifted."""
        had = self.k - self._open
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
        if row in self.taken or row in self.recent:
            return False
        limit = self.limits.per_category
        if limit is not None:
            category = self.publication.product_category.item(row)
            if self.per_category[category] >= limit:
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


def _rows(row: Callable[[str], int | None], names: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Split names into the rows of those known and the names of the others."""
    if not names:
        return (), ()
    found = [(name, row(name)) for name in names]
    return tuple(row for _, row in found if row is not None), tuple(name for name, row in found if row is None)
