from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsys.features.build import SnapshotFolder
from tests.oracle.features.arithmetic import (
    days_by,
    discount_share,
    last_gap,
    mean_gap,
    money,
    over,
    place,
    products_on_days,
    quantity,
    sd_gap,
    trend,
    weighted_gap,
)
from tests.oracle.features.item_oracle import category_item, price_level, product_item
from tests.oracle.features.known import Known, Line, days_of
from tests.oracle.features.life_stage_oracle import Span, span_of
from tests.oracle.features.member_oracle import Member


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
class MemberProduct(Own):
    product: str
    offers: "Offers"

    def kin(self, name: str) -> list[Line]:
        value = self.known.attribute(self.product, name)
        mine = [line for line in self.member.lines if value is not None and getattr(line, name) == value]
        return [line for line in mine if name == "brand" or line.category == self.category]

    @cached_property
    def category(self) -> str:
        return self.known.category_of(self.product)

    @cached_property
    def in_category(self) -> list[Line]:
        return [line for line in self.member.lines if line.category == self.category]

    def ago(self, lines: list[Line]) -> Any:
        return self.known.ago(days_of(lines)[-1]) if lines else None

    def share(self, lines: list[Line]) -> Any:
        return len(products_on_days(lines)) / len(products_on_days(self.member.lines))

    def kin_share(self, name: str) -> Any:
        known = self.known.attribute(self.product, name) is not None
        return self.share(self.kin(name)) if known else None

    def rank(self, value: Callable[[list[int]], float]) -> Any:
        every = days_by(self.member.lines, "product").values()
        return place(value(self.days), map(value, every)) if self.days else None

    def events(self) -> list[dict[str, Any]]:
        return [row for row in self.member.own(self.known.events) if row["product_id"] == self.product]

    @property
    def price_distance(self) -> Any:
        level, own = price_level(product_item(self.known, self.product)), self.member.price_level
        return None if level is None or own is None else level - own


@dataclass(frozen=True)
class Offers:
    """The candidate sources told anew, from the factors and neighbours that the snapshot holds."""

    known: Known
    folder: SnapshotFolder

    @cached_property
    def vectors(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        factors = self.folder.factors()
        return (
            dict(zip(map(str, factors.member_ids), factors.member_factors.astype(float), strict=True)),
            dict(zip(map(str, factors.product_ids), factors.product_factors.astype(float), strict=True)),
        )

    @cached_property
    def similar(self) -> dict[str, dict[str, float]]:
        frame = self.folder.neighbours()
        frame = frame[frame["kind"] == "similar"]
        found: dict[str, dict[str, float]] = {}
        for product, neighbour, score in frame[["product_id", "neighbour_id", "score"]].itertuples(index=False):
            found.setdefault(product, {})[neighbour] = score
        return found

    @cached_property
    def active(self) -> list[str]:
        recent = {line.member for line in self.known.lines if self.known.ago(line.day) <= 84}
        return sorted(recent & self.known.personal)

    def history(self, member: str) -> dict[str, int]:
        bought = days_by(self.known.by_member.get(member, []), "product")
        return {product: sum(self._weight(self.known.ago(day)) for day in days) for product, days in bought.items()}

    def near(self, member: str) -> dict[str, float]:
        """neighbour_score of every product that has one."""
        bought = days_by(self.known.by_member.get(member, []), "product")
        inside = self.vectors[1]
        weights = {
            product: score
            for product, score in self.history(member).items()
            if product in inside and self.known.ago(bought[product][-1]) <= 365
        }
        scores: dict[str, float] = {}
        for product, weight in weights.items():
            for neighbour, similarity in self.similar.get(product, {}).items():
                scores[neighbour] = scores.get(neighbour, 0) + weight * similarity / sum(weights.values())
        return scores

    def taste(self, member: str, product: str) -> Any:
        members, products = self.vectors
        return float(members[member] @ products[product]) if member in members and product in products else None

    def named(self, member: str) -> dict[str, str]:
        """Candidates and launches of an active member, and the source that named each first."""
        bought = days_by(self.known.by_member[member], "product")
        score, near = self.history(member), self.near(member)
        own = sorted(filter(self.sold, score), key=lambda p: (-score[p], -bought[p][-1], p))[:85]
        fresh = [p for p in self.vectors[1] if p not in bought or self.known.ago(bought[p][-1]) > 365]
        taste = {p: self.taste(member, p) for p in fresh if member in self.vectors[0]}
        sources = {
            "history": own,
            "neighbour": sorted((p for p in fresh if near.get(p, 0) > 0), key=lambda p: -near[p])[:8],
            "als": sorted(taste, key=lambda p: -taste[p])[:6],
            "popular": self.popular,
            "launch": [p for p in self.known.launches if p not in bought and self.sold(p)],
        }
        return {p: source for source in reversed(sources) for p in sources[source]}

    @cached_property
    def popular(self) -> list[str]:
        counts = {
            product: len({line.member for line in lines if self.known.ago(line.day) <= 28})
            for product, lines in self.known.by_product.items()
            if self.sold(product)
        }
        return sorted((p for p in counts if counts[p]), key=lambda p: (-counts[p], p))[:10]

    def sold(self, product: str) -> bool:
        at = self.known.attribute(product, "delisted_at") if product in self.known.products else None
        return at is None or at >= self.known.as_of.instant.replace(tzinfo=None)

    @staticmethod
    def _weight(ago: int) -> int:
        return 8 if ago <= 28 else 4 if ago <= 84 else 2 if ago <= 182 else 1


def member_category(known: Known, member: str, category: str) -> MemberCategory:
    lines = [line for line in known.by_member[member] if line.category == category]
    return MemberCategory(Member(known, member), lines, category)


def member_product(offers: Offers, member: str, product: str) -> MemberProduct:
    lines = [line for line in offers.known.by_member[member] if line.product == product]
    return MemberProduct(Member(offers.known, member), lines, product, offers)


def _product_days(w: int) -> Callable[[MemberProduct], Any]:
    return lambda p: len(days_of(p.last(w)))


def _product_events(kind: str) -> Callable[[MemberProduct], Any]:
    return lambda p: sum(row["type"] == kind and p.known.ago(row["day"]) <= 30 for row in p.events())


def _source(p: MemberProduct) -> str:
    return p.offers.named(p.member.member)[p.product]


_HISTORY: dict[str, Callable[[MemberProduct], Any]] = {
    "purchase_days": lambda p: len(p.days),
    **{f"purchase_days_{w}d": _product_days(w) for w in (30, 90, 365)},
    "days_since_purchase": lambda p: p.since,
    "days_since_first_purchase": lambda p: p.known.ago(p.days[0]) if p.days else None,
    "mean_gap": lambda p: mean_gap(p.days),
    "last_gap": lambda p: last_gap(p.days),
    "overdue_ratio": lambda p: over(p.since, mean_gap(p.days)),
    "quantity": lambda p: quantity(p.lines),
    "last_quantity_ratio": lambda p: p.last_quantity_ratio,
    "visits_between": lambda p: p.visits_between,
    "visits_since": lambda p: p.visits_since,
    "basket_share": lambda p: len(p.days) / len(p.member.days),
    "due_ratio": lambda p: over(p.since, product_item(p.known, p.product).mean_gap),
    "frequency_rank": lambda p: p.rank(len),
    "recency_rank": lambda p: p.rank(lambda days: days[-1]),
    "share_of_category": lambda p: over(len(p.days), len(products_on_days(p.in_category))),
    "views_30d": _product_events("view"),
    "carts_30d": _product_events("cart"),
    "favourites_30d": _product_events("favourite"),
    "days_since_event": lambda p: p.known.ago(max(r["day"] for r in p.events())) if p.events() else None,
}

MEMBER_PRODUCT_ORACLES: dict[str, Callable[[MemberProduct], Any]] = {
    "is_candidate": lambda p: int(_source(p) != "launch"),
    "is_launch": lambda p: int(p.product in p.known.launches and not p.lines),
    "candidate_source": _source,
    "history_score": lambda p: p.offers.history(p.member.member).get(p.product, 0),
    "neighbour_score": lambda p: p.offers.near(p.member.member).get(p.product, 0),
    "als_score": lambda p: p.offers.taste(p.member.member, p.product),
    **{f"own_product_{name}": oracle for name, oracle in _HISTORY.items()},
    "affinity_category_visit_share": lambda p: len(days_of(p.in_category)) / len(p.member.days),
    "affinity_category_share": lambda p: p.share(p.in_category),
    "affinity_category_days_since": lambda p: p.ago(p.in_category),
    "affinity_category_overdue_ratio": lambda p: over(p.ago(p.in_category), mean_gap(days_of(p.in_category))),
    "affinity_category_products": lambda p: len({line.product for line in p.in_category}),
    "affinity_subcategory_share": lambda p: p.kin_share("subcategory"),
    "affinity_subcategory_days_since": lambda p: p.ago(p.kin("subcategory")),
    "affinity_brand_share": lambda p: p.kin_share("brand"),
    "affinity_brand_days_since": lambda p: p.ago(p.kin("brand")),
    "price_level_distance": lambda p: p.price_distance,
}


def table(oracles: dict[str, Callable[[Any], Any]], subjects: list[Any]) -> pd.DataFrame:
    """One row a subject, one column an oracle; unknown is None."""
    return pd.DataFrame([{name: oracle(subject) for name, oracle in oracles.items()} for subject in subjects])
