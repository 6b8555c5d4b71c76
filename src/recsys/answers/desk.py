"""What is worked out once for all answers of one publication, one set of placements and one stock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from recsys.answers.names import unknown_names
from recsys.answers.own import Own, Pairs, own_lists
from recsys.answers.policy import CONTROL, Model, Placement, Placements, SourceRule, unknown_placement
from recsys.answers.reasons import Telling, why
from recsys.answers.rules import Rules
from recsys.answers.shapes import Source
from recsys.artifacts.publication import Publication
from recsys.core.time import AsOf

MAX_TELLINGS = 50_000
"""So many reasons are remembered as JSON."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """Columns of the products as buffers, (products,) each.

    category: places in the publication's categories. kin: equal for products of one subcategory of one category, -1 =
    unknown. brand: places in the publication's brands, -1 = unknown. price, level, consumable: NaN = unknown.
    """

    category: memoryview
    kin: memoryview
    brand: memoryview
    buyers: memoryview
    popularity: memoryview
    price: memoryview
    level: memoryview
    consumable: memoryview

    @classmethod
    def of(cls, publication: Publication) -> "Shelf":
        """Look at a publication's products."""
        numbers = publication.product_numbers
        names = ("buyers_28", "popularity", "price", "price_level", "consumable")
        columns = (numbers[name].data for name in names)
        category, brand = publication.product_category.data, publication.product_brand.data
        return cls(category, _kin(publication).data, brand, *columns)


@dataclass(frozen=True, eq=False)
class Lists:
    """The publication's lists as buffers: by member or, `similar` and `together`, by product."""

    new: Pairs
    bought: Pairs
    needs: Pairs
    similar: Pairs
    together: Pairs
    popular: memoryview
    popular_in: Pairs

    @classmethod
    def of(cls, publication: Publication) -> "Lists":
        """Look at a publication's lists."""
        return cls(
            Pairs.of(publication.new_product),
            Pairs.of(publication.bought),
            Pairs.of(publication.repurchase),
            Pairs.of(publication.similar),
            Pairs.of(publication.together),
            publication.popular.data,
            Pairs.of(publication.popular_in),
        )


@dataclass(frozen=True, eq=False)
class Deal:
    """A placement's variants on the publication, and who gets which.

    edges: the last point of [0, 1) of each variant but `control`; rules: of those variants, then of `control`.
    sold: (products,) for each of `rules`, nonzero = may be shown there.
    """

    placement: str
    experiment: str
    edges: tuple[float, ...]
    rules: tuple[Rules, ...]
    sold: tuple[bytes, ...]

    def variant(self, visitor: str | None) -> int:
        """Return the place in `rules` for a member or visitor; None and all that is left get `control`."""
        if visitor is not None and self.edges:
            point = _point(f"{self.placement}\x1f{self.experiment}\x1f{visitor}")
            for at, edge in enumerate(self.edges):
                if point < edge:
                    return at
        return len(self.edges)


@dataclass(frozen=True, eq=False)
class Desk:
    """Everything that answers share; swap it whole.

    neighbours: how `/similar` and `/bought-together` are filled, by source.
    unknown: what the placements name and the publication does not have, with the place that names it.
    own: the members' lists by the model that a policy asks for. about: the same of the end of an answer to a request in
        which nothing is unknown.
    tags: (members,) bits. The dictionaries remember what answers asked for, and are bounded by the products there are
        and by `MAX_TELLINGS`.
    """

    publication: Publication
    placements: Placements
    unknown: tuple[str, ...]
    shelf: Shelf
    lists: Lists
    own: Mapping[Model, Own]
    deals: Mapping[str, Deal]
    neighbours: Mapping[Source, Deal]
    tags: memoryview
    day: "Today"
    about: Mapping[Model, bytes]
    _rows: dict[str, int] = field(default_factory=dict, repr=False)
    _names: dict[int, tuple[str, str]] = field(default_factory=dict, repr=False)
    _similar: dict[int, list[int]] = field(default_factory=dict, repr=False)
    _together: dict[int, list[int]] = field(default_factory=dict, repr=False)
    _fragments: dict[int, bytes] = field(default_factory=dict, repr=False)
    _tellings: dict[Telling, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, publication: Publication, placements: Placements, stock: Mapping[str, float] | None = None) -> "Desk":
        """Make everything ready; some milliseconds.

        stock: product id -> pieces left, which hold instead of those of the publication.
        """
        row = publication.products.row
        asked = {name: _deal(publication, row, name, placement) for name, placement in placements.placements.items()}
        own = {source: _deal(publication, row, str(source), _neighbours(source)) for source in _NEIGHBOURS}
        models = own_lists(publication)
        desk = cls(
            publication,
            placements,
            unknown_names(publication, placements),
            Shelf.of(publication),
            Lists.of(publication),
            models,
            asked,
            own,
            publication.tag_bits.data,
            Today(publication.as_of.zone),
            {model: about(publication, ((), (), (), ()), lists.version) for model, lists in models.items()},
        )
        return desk.restocked(stock or {})

    def restocked(self, stock: Mapping[str, float]) -> "Desk":
        """Return the desk with another stock; products that were not launched yet or are delisted stay away."""
        sellable = self.publication.sellable.copy()
        on_sale = self.publication.on_sale
        for product_id, pieces in stock.items():
            at = self.row(product_id)
            if at is not None:
                sellable[at] = pieces > 0 and on_sale[at]
        whole = sellable.tobytes()
        return replace(
            self,
            deals={name: _restocked(deal, sellable, whole) for name, deal in self.deals.items()},
            neighbours={source: _restocked(deal, sellable, whole) for source, deal in self.neighbours.items()},
        )

    def deal(self, placement: str) -> Deal:
        """Return what holds at a placement; `RequestError` lists those there are."""
        deal = self.deals.get(placement)
        if deal is None:
            raise unknown_placement(self.deals)
        return deal

    def row(self, product_id: str) -> int | None:
        """Return the row of a product, remembered once it was found."""
        row = self._rows.get(product_id)
        if row is None:
            row = self.publication.products.row(product_id)
            if row is not None:
                self._rows[product_id] = row
        return row

    def name(self, row: int) -> tuple[str, str]:
        """Return a product's id and what to call it, remembered."""
        known = self._names.get(row)
        if known is None:
            product = self.publication.product(row)
            known = self._names[row] = product.product_id, product.name or product.product_id
        return known

    def category(self, row: int) -> str:
        """Return the name of a product's category."""
        return self.publication.categories[self.shelf.category[row]]

    def similar(self, row: int) -> list[int]:
        """Return a product and behind it those similar to it, nearest first, remembered."""
        return _around(self._similar, self.lists.similar, row)

    def together(self, row: int) -> list[int]:
        """Return a product and behind it those bought with it, nearest first, remembered."""
        return _around(self._together, self.lists.together, row)

    def fragment(self, row: int) -> bytes:
        """Return the JSON of a product without its last brace, remembered."""
        known = self._fragments.get(row)
        if known is None:
            known = self._fragments[row] = orjson.dumps(self.publication.product(row))[:-1]
        return known

    def told(self, telling: Telling) -> bytes:
        """Return the JSON of a reason, remembered."""
        known = self._tellings.get(telling)
        if known is None:
            if len(self._tellings) >= MAX_TELLINGS:
                self._tellings.clear()
            known = self._tellings[telling] = orjson.dumps(why(telling))
        return known


class Today:
    """The mall's day of an instant, worked out once a day."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._known = (0.0, 0.0, 0)

    def at(self, now: float) -> int:
        """Return the day number of an instant in UTC seconds."""
        known = self._known
        if not known[0] <= now < known[1]:
            day = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self._zone)).date()
            first = AsOf(day, self._zone)
            known = first.instant.timestamp(), first.plus(days=1).instant.timestamp(), first.number
            self._known = known
        return known[2]


def about(publication: Publication, ignored: tuple[tuple[str, ...], ...], version: str | None) -> bytes:
    """Return what an answer says behind its items, as JSON without the first brace; version: of the model."""
    no_products, no_categories, no_brands, no_answers = ignored
    told = {
        "ignored_products": no_products,
        "ignored_categories": no_categories,
        "ignored_brands": no_brands,
        "ignored_answers": no_answers,
        "as_of": str(publication.as_of),
        "publication": publication.name,
        "model_version": version,
    }
    return orjson.dumps(told)[1:]


_NEIGHBOURS = (Source.SIMILAR, Source.TOGETHER)


def _neighbours(source: Source) -> Placement:
    fallback = (Source.POPULAR_IN_CATEGORY, Source.POPULAR)
    return Placement(title=str(source), sources=(SourceRule(name=source),), fallback=fallback)


def _deal(publication: Publication, row: Callable[[str], int | None], name: str, placement: Placement) -> Deal:
    policies = placement.policies
    edges, end = [], 0.0
    for variant in placement.variants:
        end += variant.share
        edges.append(end)
    names = [*(variant.name for variant in placement.variants), CONTROL]
    rules = tuple(Rules.of(publication, row, name, variant, policies[variant]) for variant in names)
    return Deal(name, placement.experiment, tuple(edges), rules, ())


def _restocked(deal: Deal, sellable: "np.ndarray", whole: bytes) -> Deal:
    sold = (whole if rules.lists is None else (sellable & rules.lists).tobytes() for rules in deal.rules)
    return replace(deal, sold=tuple(sold))


def _around(known: dict[int, list[int]], pairs: Pairs, row: int) -> list[int]:
    found = known.get(row)
    if found is None:
        found = known[row] = [row, *pairs.rows(row).tolist()]
    return found


def _point(text: str) -> float:
    """Return where in [0, 1) a text falls."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / (1 << 56)


def _kin(publication: Publication) -> "np.ndarray":
    """(products,) one number for each subcategory of each category, -1 = unknown."""
    subcategory = publication.products.texts.codes("subcategory")
    kin = publication.product_category.astype(np.int64) * (int(subcategory.max(initial=0)) + 1) + subcategory
    return np.where(subcategory < 0, -1, kin)
