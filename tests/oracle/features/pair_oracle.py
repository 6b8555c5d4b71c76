import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import mean, median
from typing import Any

import pandas as pd

from recsys.features.kin import PLURALS
from recsys.features.level import PRODUCT, SUBCATEGORY, Level
from tests.oracle.features.arithmetic import (
    days_by,
    discount_share,
    gaps,
    last_gap,
    mean_gap,
    money,
    over,
    place,
    quantity,
    sd_gap,
    trend,
    weighted_gap,
)
from tests.oracle.features.item_oracle import category_item, price_level, product_item, subcategory_item
from tests.oracle.features.known import Known, Line, days_of
from tests.oracle.features.life_stage_oracle import Span, span_of
from tests.oracle.features.member_oracle import Member
from tests.oracle.features.offers import Offers


@dataclass(frozen=True)
class Own:
    """What a member bought of one thing (a category or a product), beside all the member bought."""

    member: Member
    lines: list[Line]

    @property
    def known(self) -> Known:
        return self.member.known

    @cached_property
    def days(self) -> list[int]:
        return days_of(self.lines)

    @cached_property
    def since(self) -> Any:
        return self.known.ago(self.days[-1]) if self.days else None

    def last(self, window: int, skip: int = 0) -> list[Line]:
        """Lines in [as_of - window, as_of - skip)."""
        return [line for line in self.lines if skip < self.known.ago(line.day) <= window]

    @property
    def visits_between(self) -> Any:
        if len(self.days) < 2:
            return None
        first, last = (self.member.days.index(day) for day in (self.days[0], self.days[-1]))
        return (last - first) / (len(self.days) - 1)

    @property
    def visits_since(self) -> Any:
        return sum(day > self.days[-1] for day in self.member.days) if self.days else None

    @property
    def last_quantity(self) -> Any:
        return quantity(line for line in self.lines if line.day == self.days[-1]) if self.days else None

    @property
    def last_quantity_ratio(self) -> Any:
        return over(self.last_quantity, over(quantity(self.lines), len(self.days)))

    @property
    def days_of_supply(self) -> Any:
        used = over(quantity(self.lines) - self.last_quantity, self.days[-1] - self.days[0])
        return over(self.last_quantity, used)

    @property
    def deviation(self) -> Any:
        spread = sd_gap(self.days)
        return (self.since - (mean_gap(self.days) or 0)) / spread if spread else None


@dataclass(frozen=True)
class MemberCategory(Own):
    category: str

    @cached_property
    def median_gap(self) -> Any:
        return category_item(self.known, self.category).median_gap

    def rank(self, value: Callable[[list[Line]], float]) -> int:
        every = {line.category for line in self.member.lines}
        values = [value([line for line in self.member.lines if line.category == one]) for one in every]
        return place(value(self.lines), values)

    def events(self, kind: str) -> int:
        return sum(
            row["type"] == kind
            and row["product_id"] in self.known.all_products
            and self.known.category_of(row["product_id"]) == self.category
            for row in self.member.recent(self.known.events, 30)
        )

    @property
    def span(self) -> Span | None:
        return span_of(self.known, self.member.member, self.category)

    def year_money(self, lines: list[Line]) -> float:
        return money(line for line in lines if self.known.ago(line.day) <= 365)


def _main_product_share(p: MemberCategory) -> Any:
    counts = [len(days) for days in days_by(p.lines, "product").values()]
    return max(counts) / sum(counts)


def _category_days(w: int) -> Callable[[MemberCategory], Any]:
    return lambda p: len(days_of(p.last(w)))


def _category_money(w: int) -> Callable[[MemberCategory], Any]:
    return lambda p: money(p.last(w))


_CATEGORY: dict[str, Callable[[MemberCategory], Any]] = {
    "days_since_purchase": lambda p: p.since,
    "days_since_first_purchase": lambda p: p.known.ago(p.days[0]),
    "purchase_days": lambda p: len(p.days),
    **{f"purchase_days_{w}d": _category_days(w) for w in (7, 30, 90, 365)},
    **{f"money_{w}d": _category_money(w) for w in (7, 30, 90, 365)},
    "quantity_90d": lambda p: quantity(p.last(90)),
    "mean_gap": lambda p: mean_gap(p.days),
    "sd_gap": lambda p: sd_gap(p.days),
    "last_gap": lambda p: last_gap(p.days),
    "weighted_gap": lambda p: weighted_gap(p.days),
    "overdue_ratio": lambda p: over(p.since, mean_gap(p.days)),
    "weighted_overdue_ratio": lambda p: over(p.since, weighted_gap(p.days)),
    "overdue_deviation": lambda p: p.deviation,
    "trend_90d": lambda p: trend(len(days_of(p.last(90))), len(days_of(p.last(180, 90)))),
    "visits_between": lambda p: p.visits_between,
    "last_quantity": lambda p: p.last_quantity,
    "last_quantity_ratio": lambda p: p.last_quantity_ratio,
    "days_of_supply": lambda p: p.days_of_supply,
    "supply_overdue_ratio": lambda p: over(p.since, p.days_of_supply),
    "money_per_purchase_day": lambda p: money(p.lines) / len(p.days),
    "discount_share": lambda p: discount_share(p.lines),
    "money_share_365d": lambda p: over(p.year_money(p.lines), p.year_money(p.member.lines)),
    "visit_share": lambda p: len(p.days) / len(p.member.days),
    "visit_share_90d": lambda p: over(len(days_of(p.last(90))), len(days_of(p.member.last(90)))),
    "money_rank": lambda p: p.rank(p.year_money),
    "frequency_rank": lambda p: p.rank(lambda lines: len(days_of(lines))),
    "visits_since": lambda p: p.visits_since,
    "gap_to_median": lambda p: over(mean_gap(p.days), p.median_gap),
    "recency_to_median_gap": lambda p: over(p.since, p.median_gap),
    "recency_to_median_recency": lambda p: over(p.since, category_item(p.known, p.category).median_recency),
    "products": lambda p: len({line.product for line in p.lines}),
    "brands": lambda p: len({line.brand for line in p.lines} - {None}),
    "main_product_share": _main_product_share,
    "views_30d": lambda p: p.events("view"),
    "carts_30d": lambda p: p.events("cart"),
}

MEMBER_CATEGORY_ORACLES: dict[str, Callable[[MemberCategory], Any]] = {
    **{f"own_category_{name}": oracle for name, oracle in _CATEGORY.items()},
    "is_repeat_category": lambda p: int(category_item(p.known, p.category).repeat_share >= 0.2),
    "stage_days_left": lambda p: p.span and max(p.span.end - p.known.today, 0),
    "stage_days_since_end": lambda p: p.span and max(p.known.today - p.span.end, 0),
    "stage_share_passed": lambda p: p.span and (p.known.today - p.span.start) / (p.span.end - p.span.start),
}


@dataclass(frozen=True)
class MemberItem(Own):
    """A member and an item of a level."""

    item: str
    offers: Offers

    @property
    def level(self) -> str:
        return self.offers.level.name

    def same(self, name: str) -> Any:
        """The value that lines of the item's kin have."""
        if name == "category":
            return self.offers.category(self.item)
        return self.known.subcategory_of(self.item) if name == "subcategory" else self.known.attribute(self.item, name)

    def kin(self, name: str) -> list[Line]:
        value = self.same(name)
        return [line for line in self.member.lines if value is not None and getattr(line, name) == value]

    def ago(self, lines: list[Line]) -> Any:
        return self.known.ago(days_of(lines)[-1]) if lines else None

    def times(self, lines: list[Line]) -> int:
        """(item, day) pairs."""
        return len({(self.offers.item_of(line), line.day) for line in lines})

    def share(self, lines: list[Line]) -> Any:
        return self.times(lines) / self.times(self.member.lines)

    def rank(self, value: Callable[[list[int]], float]) -> Any:
        every = days_by(self.member.lines, self.level).values()
        return place(value(self.days), map(value, every)) if self.days else None

    def later(self, day: int) -> int:
        """The member's visits after a day."""
        return sum(visit > day for visit in self.member.days)

    def kept(self, percent: int, days: list[int]) -> float:
        return sum(math.pow(percent / 100, self.later(day)) for day in days)

    def basket(self, day: int) -> int:
        """Items that the member bought on a day."""
        return len({self.offers.item_of(line) for line in self.member.lines if line.day == day})

    def part_kept(self, percent: int) -> float:
        return sum(math.pow(percent / 100, self.later(day)) / self.basket(day) for day in self.days)

    @property
    def basket_size(self) -> Any:
        own, every = ([math.log(self.basket(day)) for day in days] for days in (self.days, self.member.days))
        return mean(own) - mean(every) if own else None

    def half_life(self, days: int) -> float:
        return sum(math.pow(0.5, self.known.ago(day) / days) for day in self.days)

    def visits_overdue(self, days: list[int]) -> Any:
        if len(days) < 2:
            return None
        return over(self.later(days[-1]), (self.later(days[0]) - self.later(days[-1])) / (len(days) - 1))

    @property
    def visit_gaps(self) -> list[int]:
        return [self.later(early) - self.later(late) for early, late in pairwise(self.days)]

    def events(self) -> list[dict[str, Any]]:
        def item(row: dict[str, Any]) -> Any:
            product = row["product_id"]
            if product not in self.known.all_products:
                return None
            return product if self.level == "product" else self.known.subcategory_of(product)

        return [row for row in self.member.own(self.known.events) if item(row) == self.item]

    @property
    def usual(self) -> float:
        """Mean days between the member's visits."""
        days = self.member.days
        return (days[-1] - days[0]) / (len(days) - 1)

    @property
    def price_distance(self) -> Any:
        level, own = price_level(product_item(self.known, self.item)), self.member.price_level
        return None if level is None or own is None else level - own

    @property
    def mean_gap_of_all(self) -> Any:
        make = product_item if self.level == "product" else subcategory_item
        return make(self.known, self.item).mean_gap


def member_category(known: Known, member: str, category: str) -> MemberCategory:
    lines = [line for line in known.by_member[member] if line.category == category]
    return MemberCategory(Member(known, member), lines, category)


def member_item(offers: Offers, member: str, item: str) -> MemberItem:
    lines = [line for line in offers.lines(member) if offers.item_of(line) == item]
    return MemberItem(Member(offers.known, member), lines, item, offers)


def _item_days(w: int) -> Callable[[MemberItem], Any]:
    return lambda p: len(days_of(p.last(w)))


def _item_events(kind: str) -> Callable[[MemberItem], Any]:
    return lambda p: sum(row["type"] == kind and p.known.ago(row["day"]) <= 30 for row in p.events())


def _kept(percent: int) -> Callable[[MemberItem], Any]:
    return lambda p: p.kept(percent, p.days)


def _part_kept(percent: int) -> Callable[[MemberItem], Any]:
    return lambda p: p.part_kept(percent)


def _half_life(days: int) -> Callable[[MemberItem], Any]:
    return lambda p: p.half_life(days)


def _share_of_last(visits: int) -> Callable[[MemberItem], Any]:
    return lambda p: len(set(p.member.days[-visits:]) & set(p.days)) / len(p.member.days[-visits:])


_ITEM: dict[str, Callable[[MemberItem], Any]] = {
    "purchase_days": lambda p: len(p.days),
    **{f"purchase_days_{w}d": _item_days(w) for w in (7, 14, 30, 60, 90, 180, 365)},
    **{f"half_life_{days}d": _half_life(days) for days in (7, 14, 28, 56, 112)},
    **{f"kept_{percent}": _kept(percent) for percent in (60, 80, 90, 95)},
    "basket_part": lambda p: p.part_kept(100) / len(p.member.days),
    **{f"part_kept_{percent}": _part_kept(percent) for percent in (80, 90, 95)},
    "basket_size": lambda p: p.basket_size,
    **{f"share_of_last_{visits}": _share_of_last(visits) for visits in (1, 3, 5, 10, 20)},
    "days_since_purchase": lambda p: p.since,
    "days_since_first_purchase": lambda p: p.known.ago(p.days[0]) if p.days else None,
    "mean_gap": lambda p: mean_gap(p.days),
    "median_gap": lambda p: median(gaps(p.days)) if len(p.days) > 1 else None,
    "sd_gap": lambda p: sd_gap(p.days),
    "last_gap": lambda p: last_gap(p.days),
    "overdue_ratio": lambda p: over(p.since, mean_gap(p.days)),
    "median_overdue_ratio": lambda p: over(p.since, median(gaps(p.days)) if len(p.days) > 1 else None),
    "next_due_ratio": lambda p: over(p.since + p.usual, mean_gap(p.days)) if len(p.days) > 1 else None,
    "quantity": lambda p: quantity(p.lines),
    "last_quantity_ratio": lambda p: p.last_quantity_ratio,
    "visits_between": lambda p: p.visits_between,
    "last_visits_between": lambda p: p.visit_gaps[-1] if p.visit_gaps else None,
    "visits_since": lambda p: p.visits_since,
    "visits_overdue_ratio": lambda p: p.visits_overdue(p.days),
    "share_since_first": lambda p: len(p.days) / (p.later(p.days[0]) + 1) if p.days else None,
    "basket_share": lambda p: len(p.days) / len(p.member.days),
    "due_ratio": lambda p: over(p.since, p.mean_gap_of_all),
    "frequency_rank": lambda p: p.rank(len),
    "recency_rank": lambda p: p.rank(lambda days: days[-1]),
    "hazard": lambda p: p.offers.hazard(p.item, p.visits_since + 1) if p.days else None,
    "history_score": lambda p: p.offers.history(p.member.member).get(p.item, 0),
    "tifu_score": lambda p: p.offers.tifu(p.member.member)[0].get(p.item, 0),
    "tifu_near": lambda p: p.offers.tifu(p.member.member)[1].get(p.item, 0),
    "tifu_share": lambda p: p.offers.tifu(p.member.member)[2].get(p.item, 0),
    "upcf_score": lambda p: p.offers.upcf(p.member.member).get(p.item, 0),
    "neighbour_score": lambda p: p.offers.near(p.member.member).get(p.item, 0),
    "bm25_score": lambda p: p.offers.alike(p.member.member).get(p.item, 0),
    "als_score": lambda p: p.offers.taste(p.member.member, p.item),
    "views_30d": _item_events("view"),
    "carts_30d": _item_events("cart"),
    "favourites_30d": _item_events("favourite"),
    "days_since_event": lambda p: p.known.ago(max(r["day"] for r in p.events())) if p.events() else None,
}

RANKS = {
    "tifu": "tifu_score",
    "near": "tifu_near",
    "upcf": "upcf_score",
    "kept": "kept_95",
    "part": "part_kept_95",
    "hazard": "hazard",
}
APART = ("source", *(f"{name}_rank" for name in RANKS))
"""Features of a pair whose oracles look at all rows of the member."""


def _kin(level: Level, kin: str) -> dict[str, Callable[[MemberItem], Any]]:
    own, affinity, items = level.own, f"{level.affinity}_{kin}", f"{level.affinity}_{kin}_{PLURALS[level.name]}"
    return {
        f"{own}_share_of_{kin}": lambda p: over(len(p.days), p.times(p.kin(kin))),
        f"{own}_kept_share_of_{kin}": lambda p: over(p.kept(90, p.days), p.kept(90, days_of(p.kin(kin)))),
        f"{own}_behind_{kin}": lambda p: p.visits_since - p.later(days_of(p.kin(kin))[-1]) if p.days else None,
        f"{affinity}_visit_share": lambda p: len(days_of(p.kin(kin))) / len(p.member.days),
        f"{affinity}_share": lambda p: p.share(p.kin(kin)),
        f"{affinity}_kept_90": lambda p: p.kept(90, days_of(p.kin(kin))),
        f"{affinity}_days_since": lambda p: p.ago(p.kin(kin)),
        f"{affinity}_overdue_ratio": lambda p: over(p.ago(p.kin(kin)), mean_gap(days_of(p.kin(kin)))),
        f"{affinity}_visits_overdue_ratio": lambda p: p.visits_overdue(days_of(p.kin(kin))),
        items: lambda p: len({p.offers.item_of(line) for line in p.kin(kin)}),
    }


def _level(level: Level) -> dict[str, Callable[[MemberItem], Any]]:
    own = {f"{level.own}_{name}": oracle for name, oracle in _ITEM.items()}
    for kin in level.kin:
        own |= _kin(level, kin)
    return own


MEMBER_SUBCATEGORY_ORACLES: dict[str, Callable[[MemberItem], Any]] = _level(SUBCATEGORY)

MEMBER_PRODUCT_ORACLES: dict[str, Callable[[MemberItem], Any]] = {
    **_level(PRODUCT),
    "is_launch": lambda p: int(p.item in p.known.launches and not p.lines),
    "affinity_brand_share": lambda p: p.share(p.kin("brand")) if p.same("brand") is not None else None,
    "affinity_brand_days_since": lambda p: p.ago(p.kin("brand")),
    "price_level_distance": lambda p: p.price_distance,
}


def table(oracles: dict[str, Callable[[Any], Any]], subjects: list[Any]) -> pd.DataFrame:
    """One row a subject, one column an oracle; unknown is None."""
    return pd.DataFrame([{name: oracle(subject) for name, oracle in oracles.items()} for subject in subjects])
