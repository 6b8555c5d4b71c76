from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, median
from typing import Any

from tests.oracle.features.arithmetic import (
    discount_share,
    gaps,
    members_of,
    money,
    over,
    pairs_of_days,
    place,
    quantity,
    trend,
)
from tests.oracle.features.known import Known, Line, Row, days_of


@dataclass(frozen=True)
class Item:
    """A category or a product, by its purchases."""

    known: Known
    key: str
    lines: list[Line]

    def last(self, window: int, skip: int = 0) -> list[Line]:
        """Lines in [as_of - window, as_of - skip)."""
        return [line for line in self.lines if skip < self.known.ago(line.day) <= window]

    @cached_property
    def days_of_buyers(self) -> dict[str, list[int]]:
        return {
            member: days_of(line for line in self.lines if line.member == member) for member in members_of(self.lines)
        }

    @cached_property
    def repeat_share(self) -> Any:
        return over(sum(len(days) > 1 for days in self.days_of_buyers.values()), len(self.days_of_buyers))

    @cached_property
    def median_gap(self) -> Any:
        repeated = [mean(gaps(days)) for days in self.days_of_buyers.values() if len(days) > 1]
        return median(repeated) if repeated else None

    @cached_property
    def mean_gap(self) -> Any:
        every = [gap for days in self.days_of_buyers.values() for gap in gaps(days)]
        return mean(every) if every else None

    @cached_property
    def median_recency(self) -> Any:
        return median(self.known.ago(days[-1]) for days in self.days_of_buyers.values()) if self.lines else None

    @cached_property
    def trend(self) -> Any:
        return trend(len(pairs_of_days(self.last(28))), len(pairs_of_days(self.last(56, 28))))

    @cached_property
    def price(self) -> Any:
        return over(money(self.lines), quantity(self.lines))


def buyers(window: int) -> Callable[[Item], Any]:
    return lambda i: len(members_of(i.last(window)))


def product_item(known: Known, product: str) -> Item:
    return Item(known, product, known.by_product.get(product, []))


def category_item(known: Known, category: str) -> Item:
    return Item(known, category, known.by_category.get(category, []))


def _top_share(i: Item) -> Any:
    products = {line.product for line in i.lines}
    counts = [len(members_of(line for line in i.lines if line.product == product)) for product in products]
    return over(max(counts, default=None), sum(counts))


def _penetration(i: Item) -> Any:
    everybody = {line.member for line in i.known.lines if i.known.ago(line.day) <= 90}
    return over(len(members_of(i.last(90))), len(everybody)) or 0


CATEGORY_ORACLES: dict[str, Callable[[Item], Any]] = {
    "category_buyers": lambda i: len(members_of(i.lines)),
    **{f"category_buyers_{w}d": buyers(w) for w in (28, 90, 365)},
    "category_repeat_share": lambda i: i.repeat_share,
    "category_median_gap": lambda i: i.median_gap,
    "category_mean_gap": lambda i: i.mean_gap,
    "category_median_recency": lambda i: i.median_recency,
    "category_purchase_days_per_buyer": lambda i: over(len(pairs_of_days(i.lines)), len(members_of(i.lines))),
    "category_purchase_days_28d": lambda i: len(pairs_of_days(i.last(28))),
    "category_purchase_days_90d": lambda i: len(pairs_of_days(i.last(90))),
    "category_money_90d": lambda i: money(i.last(90)),
    "category_mean_price": lambda i: i.price,
    "category_quantity_per_purchase_day": lambda i: over(quantity(i.lines), len(pairs_of_days(i.lines))),
    "category_discount_share": lambda i: discount_share(i.lines),
    "category_trend_28d": lambda i: i.trend,
    "category_products": lambda i: len({line.product for line in i.lines}),
    "category_products_90d": lambda i: len({line.product for line in i.last(90)}),
    "category_top_product_share": _top_share,
    "category_penetration_90d": _penetration,
}


def subcategory_item(known: Known, name: str) -> Item:
    return Item(known, name, known.by_subcategory.get(name, []))


def _own(i: Item, name: str) -> Any:
    return i.known.attribute(i.key, name)


def _launch_age(i: Item) -> Any:
    at = _own(i, "launched_at")
    return None if at is None else int((i.known.as_of.instant.replace(tzinfo=None) - at).total_seconds() / 86400)


def _flag(value: Any) -> Any:
    return None if value is None else int(value)


def price_level(i: Item) -> Any:
    price = i.price if i.price is not None else _own(i, "price")
    return over(price, i.known.category_price.get(i.known.category_of(i.key)))


def _first_bought(window: int) -> Callable[[Item], Any]:
    return lambda i: sum(i.known.ago(days[0]) <= window for days in i.days_of_buyers.values())


def _sold(window: int) -> Callable[[Item], Any]:
    return lambda i: len(pairs_of_days(i.last(window)))


def _trend(window: int) -> Callable[[Item], Any]:
    return lambda i: trend(len(pairs_of_days(i.last(window))), len(pairs_of_days(i.last(2 * window, window))))


def _new_buyers(i: Item) -> Any:
    recent = [days for days in i.days_of_buyers.values() if i.known.ago(days[-1]) <= 28]
    return over(sum(i.known.ago(days[0]) <= 28 for days in recent), len(recent))


def _rank(i: Item, window: int, rivals: list[Item]) -> int:
    return place(buyers(window)(i), [buyers(window)(rival) for rival in rivals])


def _products(known: Known) -> list[Item]:
    return [product_item(known, product) for product in known.all_products]


def _subcategories(known: Known) -> list[Item]:
    return [subcategory_item(known, name) for name in {known.subcategory_of(p) for p in known.all_products}]


def _category_rivals(i: Item) -> list[Item]:
    return [rival for rival in _products(i.known) if i.known.category_of(rival.key) == i.known.category_of(i.key)]


def category_of_subcategory(known: Known, name: str) -> str:
    return next(known.category_of(p) for p in known.all_products if known.subcategory_of(p) == name)


def _subcategory_rivals(i: Item) -> list[Item]:
    mine = category_of_subcategory(i.known, i.key)
    return [rival for rival in _subcategories(i.known) if category_of_subcategory(i.known, rival.key) == mine]


def _subcategory_share(i: Item) -> Any:
    mine = category_of_subcategory(i.known, i.key)
    return over(buyers(90)(i), buyers(90)(category_item(i.known, mine)))


def _kin(i: Item, matches: Callable[[Line], bool]) -> int:
    return len(members_of(line for line in i.known.lines if i.known.ago(line.day) <= 90 and matches(line)))


def _brand_buyers(i: Item) -> int:
    return _kin(i, lambda line: line.brand is not None and line.brand == _own(i, "brand"))


def _subcategory_buyers(i: Item) -> int:
    return _kin(i, lambda line: line.subcategory == i.known.subcategory_of(i.key))


def _category_buyers(i: Item) -> int:
    return _kin(i, lambda line: line.category == i.known.category_of(i.key))


def _brand_share(i: Item) -> Any:
    return None if _own(i, "brand") is None else over(_brand_buyers(i), _category_buyers(i))


def _events(kind: str) -> Callable[[Item], Any]:
    def matches(i: Item, row: Row) -> bool:
        member = row["member_id"] in i.known.known_members
        return member and row["product_id"] == i.key and row["type"] == kind and i.known.ago(row["day"]) <= 30

    return lambda i: sum(matches(i, row) for row in i.known.events)


_ITEM: dict[str, Callable[[Item], Any]] = {
    "buyers": lambda i: len(members_of(i.lines)),
    **{f"buyers_{w}d": buyers(w) for w in (7, 28, 90)},
    **{f"new_buyers_{w}d": _first_bought(w) for w in (28, 90)},
    "repeat_rate": lambda i: i.repeat_share,
    "mean_gap": lambda i: i.mean_gap,
    "purchase_days_per_buyer": lambda i: over(len(pairs_of_days(i.lines)), len(members_of(i.lines))),
    "new_buyer_share_28d": _new_buyers,
    "days_since_first_sale": lambda i: i.known.ago(days_of(i.lines)[0]) if i.lines else None,
    "days_since_last_sale": lambda i: i.known.ago(days_of(i.lines)[-1]) if i.lines else None,
    **{f"purchase_days_{w}d": _sold(w) for w in (7, 28)},
    **{f"trend_{w}d": _trend(w) for w in (7, 28)},
    "quantity_per_purchase_day": lambda i: over(quantity(i.lines), len(pairs_of_days(i.lines))),
    "discount_share": lambda i: discount_share(i.lines),
    "discount_share_14d": lambda i: discount_share(i.last(14)),
}

SUBCATEGORY_ORACLES: dict[str, Callable[[Item], Any]] = {
    **{f"subcategory_{name}": oracle for name, oracle in _ITEM.items()},
    "subcategory_category": lambda i: category_of_subcategory(i.known, i.key),
    "subcategory_popularity_rank": lambda i: _rank(i, 28, _subcategories(i.known)),
    "subcategory_rank_in_category": lambda i: _rank(i, 90, _subcategory_rivals(i)),
    "subcategory_products": lambda i: len({line.product for line in i.lines}),
    "subcategory_products_90d": lambda i: len({line.product for line in i.last(90)}),
    "subcategory_share_of_category": _subcategory_share,
    "subcategory_mean_price": lambda i: i.price,
}

PRODUCT_ORACLES: dict[str, Callable[[Item], Any]] = {
    **{f"product_{name}": oracle for name, oracle in _ITEM.items()},
    "category": lambda i: i.known.category_of(i.key),
    "subcategory": lambda i: i.known.subcategory_of(i.key),
    "brand": lambda i: _own(i, "brand"),
    "package_size": lambda i: _own(i, "package_size"),
    "product_days_since_launch": _launch_age,
    "product_is_consumable": lambda i: _flag(_own(i, "is_consumable")),
    "product_list_price": lambda i: _own(i, "price"),
    "product_mean_price": lambda i: i.price,
    "product_price_level": price_level,
    "product_popularity_rank": lambda i: _rank(i, 28, _products(i.known)),
    "product_rank_in_category": lambda i: _rank(i, 90, _category_rivals(i)),
    "product_brand_buyers_90d": _brand_buyers,
    "product_subcategory_buyers_90d": _subcategory_buyers,
    "product_share_of_subcategory": lambda i: over(buyers(90)(i), _subcategory_buyers(i)),
    "product_category_buyers_90d": _category_buyers,
    "product_brand_share_of_category": _brand_share,
    "product_views_30d": _events("view"),
    "product_carts_30d": _events("cart"),
}
