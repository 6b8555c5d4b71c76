"""Why an answer is as it is: each source's candidates, and which rule kept what out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from recsys.answers.ask import Ask
from recsys.answers.candidates import pool
from recsys.answers.desk import Desk
from recsys.answers.filling import Pick, fill
from recsys.answers.recommend import recommend
from recsys.answers.shapes import DESCRIBED, Fallback, Recommendation, Source
from recsys.answers.visit import (
    Fetch,
    Visit,
    filter_of,
    in_cart,
    not_due,
    price_band,
    shown_enough,
    source_rules,
    visit,
)
from recsys.artifacts.publication import Product

LOOKED_AT = 200
"""So many candidates of each source are looked at."""
TOLD = 12
"""So many products are named for each rule."""


class Keeper(StrEnum):
    """The rule that kept a product out: the first of these that holds."""

    AROUND = "around"
    """It is on the page, in the order, or in the cart that the request tells of."""
    EXCLUDED = "excluded"
    """The request excludes it."""
    CART = "cart"
    """It lies in the member's cart."""
    OFF_SALE = "off_sale"
    """It was not launched yet, or is sold no more."""
    LISTS = "lists"
    """The placement lets its category or brand not in."""
    OUT_OF_STOCK = "out_of_stock"
    """Nothing of it is left."""
    RECENTLY_BOUGHT = "recently_bought"
    """The member bought it lately and is in no need of it yet."""
    SHOWN_ENOUGH = "shown_enough"
    """The member was shown it as often today as the placement lets it be."""
    PRICE_BAND = "price_band"
    """Its price level is not one that the member usually pays."""
    FILTERS = "filters"
    """It is not what the request wants."""
    MAX_PER_CATEGORY = "max_per_category"
    """Its category has as many places already as the placement lets it have."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A product that a rule kept out."""

    __pydantic_config__ = DESCRIBED
    product: Product
    """The product."""
    source: Source
    """The source that named it."""
    rank: int
    """Its rank there, 1 = the best."""


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What one rule kept out."""

    __pydantic_config__ = DESCRIBED
    rule: Keeper
    """The rule."""
    count: int
    """So many of the candidates looked at."""
    products: tuple[Kept, ...]
    """The first of them."""


@dataclass(frozen=True, slots=True)
class SourceTold:
    """What one source gave."""

    __pydantic_config__ = DESCRIBED
    source: Source
    """The source."""
    fallback: bool
    """Whether it is asked only when the placement's own sources leave places empty."""
    candidates: int
    """Candidates looked at, at most 200; 0 = it has nothing for this visit."""
    kept_out: int
    """Of these, so many that a rule kept out."""
    shown: int
    """Places of the answer that it filled."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer, and why it is as it is."""

    __pydantic_config__ = DESCRIBED
    answer: Recommendation
    """What a visit of now would be shown."""
    sources: tuple[SourceTold, ...]
    """The sources in the placement's order."""
    kept_out: tuple[KeptOut, ...]
    """What each rule kept out, in the order the rules are held."""
    lifted: tuple[str, ...]
    """Rules that were lifted as places stayed empty; what they kept out may be shown."""
    capped: bool
    """Whether the member saw so much today that the placement pins, boosts and keeps shares no more."""


def explain(desk: Desk, ask: Ask, *, doings: Fetch, now: float) -> Explanation:
    """Answer as `recommend` does, and tell what each source and each rule had to do with it.

    A product that several sources name is told of at the first one.
    """
    held = doings()
    seen = visit(desk, desk.deal(ask.placement), ask, lambda: held, now)
    picks, fallbacks = fill(desk, seen)
    shown = {row for row, _, _ in picks}
    keeper = _Keepers(desk, seen, picks)
    sources: list[SourceTold] = []
    kept: dict[Keeper, list[Kept]] = {rule: [] for rule in Keeper}
    told: set[int] = set()
    own = {rule.name for rule in seen.policy.sources}
    for source in source_rules(seen):
        rows = _first(desk, seen, source)
        out = 0
        for rank, row in enumerate(rows, start=1):
            rule = None if row in shown else keeper.of(row)
            out += rule is not None
            if rule is not None and row not in told:
                kept[rule].append(Kept(desk.publication.product(row), source, rank))
                told.add(row)
        filled = sum(one.source is source for _, one, _ in picks)
        sources.append(SourceTold(source, source not in own, len(rows), out, filled))
    cap = seen.policy.caps.member_per_day
    return Explanation(
        answer=recommend(desk, ask, doings=lambda: held, now=now),
        sources=tuple(sources),
        kept_out=tuple(KeptOut(rule, len(found), tuple(found[:TOLD])) for rule, found in kept.items() if found),
        lifted=tuple(_lifted(fallbacks)),
        capped=cap is not None and seen.doings.shown_total >= cap,
    )


class _Keepers:
    """The rules of one visit, each ready to say whether it keeps a product out."""

    def __init__(self, desk: Desk, seen: Visit, picks: list[Pick]) -> None:
        self._desk, self._seen = desk, seen
        self._cart = set(in_cart(desk, seen))
        self._not_due = not_due(desk, seen)
        self._shown = shown_enough(desk, seen)
        self._band = price_band(desk, seen)
        self._wants = filter_of(desk, seen)
        category = desk.shelf.category
        self._categories = [category[row] for row, _, _ in picks]

    def of(self, row: int) -> Keeper | None:
        """Return the first rule that keeps a product out; None = others were worth more."""
        return next(self._holding(row), None)

    def _holding(self, row: int) -> Iterator[Keeper]:
        seen, publication = self._seen, self._desk.publication
        limit = seen.policy.max_per_category
        lists = seen.rules.lists
        rules = (
            (Keeper.AROUND, row in seen.products),
            (Keeper.EXCLUDED, row in seen.exclude),
            (Keeper.CART, row in self._cart),
            (Keeper.OFF_SALE, not publication.on_sale[row]),
            (Keeper.LISTS, lists is not None and not lists[row]),
            (Keeper.OUT_OF_STOCK, not seen.sold[row]),
            (Keeper.RECENTLY_BOUGHT, row in self._not_due),
            (Keeper.SHOWN_ENOUGH, row in self._shown),
            (Keeper.PRICE_BAND, self._band is not None and self._outside(row, self._band)),
            (Keeper.FILTERS, self._wants is not None and not self._wants(row)),
            (Keeper.MAX_PER_CATEGORY, limit is not None and self._full(row, limit)),
        )
        return (rule for rule, holds in rules if holds)

    def _outside(self, row: int, band: tuple[float, float]) -> bool:
        level = self._desk.shelf.level[row]
        return level < band[0] or level > band[1]

    def _full(self, row: int, limit: int) -> bool:
        return self._categories.count(self._desk.shelf.category[row]) >= limit


def _first(desk: Desk, seen: Visit, source: Source) -> list[int]:
    found = pool(desk, seen, source)
    return [] if found is None else found.first(LOOKED_AT)


def _lifted(fallbacks: list[Fallback]) -> Iterator[str]:
    """Give the limits among the steps beyond the placement's own sources."""
    sources = {*map(str, Source), "published"}
    return (one.step for one in fallbacks if one.step not in sources)
