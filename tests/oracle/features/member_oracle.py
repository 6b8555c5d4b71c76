from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from statistics import mean
from typing import Any

from tests.oracle.features.arithmetic import (
    days_by,
    discount_share,
    gaps,
    last_gap,
    mean_gap,
    money,
    over,
    quantity,
    sd_gap,
    trend,
    weighted_gap,
)
from tests.oracle.features.known import Known, Line, Row, day_of, days_of


@dataclass(frozen=True)
class Member:
    known: Known
    member: str

    @cached_property
    def lines(self) -> list[Line]:
        return self.known.by_member.get(self.member, [])

    @cached_property
    def days(self) -> list[int]:
        return days_of(self.lines)

    @cached_property
    def baskets(self) -> list[int]:
        """Distinct products of each purchase day."""
        return [len({line.product for line in self.lines if line.day == day}) for day in self.days]

    @property
    def profile(self) -> Row:
        return self.known.members.get(self.member, {})

    def last(self, window: int, skip: int = 0) -> list[Line]:
        """Lines in [as_of - window, as_of - skip)."""
        return [line for line in self.lines if skip < self.known.ago(line.day) <= window]

    def own(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["member_id"] == self.member]

    def recent(self, rows: list[Row], window: int) -> list[Row]:
        return [row for row in self.own(rows) if self.known.ago(row["day"]) <= window]

    def since(self, days: list[int]) -> int | None:
        return self.known.ago(max(days)) if days else None

    def line_share(self, matching: list[Line]) -> Any:
        return over(len(matching), len(self.lines))

    def first_since(self, name: str, window: int) -> Any:
        """Share of the values bought within the window whose first purchase fell in it."""
        days = days_by(self.lines, name).values()
        recent = [one for one in days if self.known.ago(one[-1]) <= window]
        return over(sum(self.known.ago(one[0]) <= window for one in recent), len(recent))

    def favourite(self, values: list[Any]) -> Any:
        counts = Counter(value for value in values if value is not None)
        return min(counts, key=lambda value: (-counts[value], value)) if counts else None

    def favourite_share(self, values: list[Any]) -> Any:
        counts = Counter(value for value in values if value is not None)
        return over(max(counts.values()), sum(counts.values())) if counts else None

    @cached_property
    def by_category(self) -> dict[str, float]:
        totals: dict[str, float] = {}
        for line in self.lines:
            totals[line.category] = totals.get(line.category, 0) + line.money
        return {category: round(total, 4) for category, total in totals.items()}

    @cached_property
    def price_level(self) -> Any:
        usual = sum(line.quantity * self.known.category_price[line.category] for line in self.lines)
        return over(money(self.lines), usual)

    @cached_property
    def launched(self) -> set[str]:
        """Products launched 1 to 365 whole days before as_of."""
        now = self.known.as_of.instant.replace(tzinfo=None)
        return {
            key
            for key, row in self.known.products.items()
            if row["launched_at"] is not None and 1 <= (now - row["launched_at"]) // timedelta(days=1) <= 365
        }

    @property
    def launches_bought(self) -> int:
        return len({line.product for line in self.lines} & self.launched)


def _age(known: Known, value: Any, length: float) -> Any:
    return None if value is None else known.ago(day_of(value)) / length


def _kind(kind: str) -> Callable[[Member], Any]:
    return lambda m: sum(row["type"] == kind for row in m.recent(m.known.events, 30))


def _hours(start: int, end: int) -> Callable[[Member], Any]:
    return lambda m: m.line_share([line for line in m.lines if start <= line.hour <= end])


def _days_in(window: int) -> Callable[[Member], Any]:
    return lambda m: len(days_of(m.last(window)))


def _money_in(window: int) -> Callable[[Member], Any]:
    return lambda m: money(m.last(window))


def _weeks(m: Member) -> float:
    return len({(m.known.ago(day) - 1) // 7 for day in m.days if m.known.ago(day) <= 84}) / 12


def _seen(m: Member) -> int:
    views = [row for row in m.recent(m.known.events, 30) if row["type"] == "view"]
    return len({row["product_id"] for row in views if row["product_id"] in m.known.all_products})


def _registered(m: Member) -> Any:
    at = m.profile.get("registered_at")
    return None if at is None else (m.known.as_of.instant.replace(tzinfo=None) - at) // timedelta(days=1)


ORACLES: dict[str, Callable[[Member], Any]] = {
    "days_since_purchase": lambda m: m.since(m.days),
    "days_since_first_purchase": lambda m: m.known.ago(m.days[0]) if m.days else None,
    "purchase_days": lambda m: len(m.days),
    **{f"purchase_days_{w}d": _days_in(w) for w in (7, 30, 90, 365)},
    "money": lambda m: money(m.lines),
    **{f"money_{w}d": _money_in(w) for w in (7, 30, 90, 365)},
    "mean_gap": lambda m: mean_gap(m.days),
    "sd_gap": lambda m: sd_gap(m.days),
    "last_gap": lambda m: last_gap(m.days),
    "longest_gap": lambda m: max(gaps(m.days), default=None),
    "weighted_gap": lambda m: weighted_gap(m.days),
    "overdue_ratio": lambda m: over(m.since(m.days), mean_gap(m.days)),
    "weighted_overdue_ratio": lambda m: over(m.since(m.days), weighted_gap(m.days)),
    "purchase_days_trend_30d": lambda m: trend(len(days_of(m.last(30))), len(days_of(m.last(60, 30)))),
    "money_trend_90d": lambda m: trend(money(m.last(90)), money(m.last(180, 90))),
    "active_weeks_share_84d": _weeks,
    "money_per_purchase_day": lambda m: over(money(m.lines), len(m.days)),
    "money_per_purchase_day_90d": lambda m: over(money(m.last(90)), len(days_of(m.last(90)))),
    "largest_money_per_day": lambda m: max(
        (money(line for line in m.lines if line.day == day) for day in m.days), default=None
    ),
    "quantity_per_purchase_day": lambda m: over(quantity(m.lines), len(m.days)),
    "lines_per_purchase_day": lambda m: over(len(m.lines), len(m.days)),
    "products_per_purchase_day": lambda m: mean(m.baskets) if m.days else None,
    "products_per_purchase_day_last_10": lambda m: mean(m.baskets[-10:]) if m.days else None,
    "products_on_last_purchase_day": lambda m: m.baskets[-1] if m.days else None,
    "discount_share": lambda m: discount_share(m.lines),
    "discount_share_90d": lambda m: discount_share(m.last(90)),
    "discounted_line_share": lambda m: m.line_share([line for line in m.lines if line.discount > 0]),
    "coupon_line_share": lambda m: m.line_share([line for line in m.lines if line.coupon]),
    "coupon_lines_90d": lambda m: sum(line.coupon is not None for line in m.last(90)),
    "morning_share": _hours(5, 11),
    "afternoon_share": _hours(12, 16),
    "evening_share": _hours(17, 21),
    "weekend_share": lambda m: m.line_share([line for line in m.lines if line.weekday in (5, 6)]),
    "channels": lambda m: len({line.channel for line in m.lines} - {None}),
    "stores": lambda m: len({line.store for line in m.lines} - {None}),
    "categories": lambda m: len({line.category for line in m.lines}),
    "categories_90d": lambda m: len({line.category for line in m.last(90)}),
    "brands": lambda m: len({line.brand for line in m.lines} - {None}),
    "brands_90d": lambda m: len({line.brand for line in m.last(90)} - {None}),
    "favourite_hour": lambda m: m.favourite([line.hour for line in m.lines]),
    "favourite_hour_share": lambda m: m.favourite_share([line.hour for line in m.lines]),
    "favourite_weekday": lambda m: m.favourite([line.weekday for line in m.lines]),
    "favourite_weekday_share": lambda m: m.favourite_share([line.weekday for line in m.lines]),
    "main_channel": lambda m: m.favourite([line.channel for line in m.lines]),
    "main_channel_share": lambda m: m.favourite_share([line.channel for line in m.lines]),
    "main_store": lambda m: m.favourite([line.store for line in m.lines]),
    "main_store_share": lambda m: m.favourite_share([line.store for line in m.lines]),
    "products": lambda m: len({line.product for line in m.lines}),
    "products_90d": lambda m: len({line.product for line in m.last(90)}),
    "exploration_rate_90d": lambda m: m.first_since("product", 90),
    "repeat_product_share": lambda m: over(
        sum(len(days) > 1 for days in days_by(m.lines, "product").values()), len(days_by(m.lines, "product"))
    ),
    "category_exploration_rate_90d": lambda m: m.first_since("category", 90),
    "repeat_category_share": lambda m: over(
        sum(len(days) > 1 for days in days_by(m.lines, "category").values()), len(days_by(m.lines, "category"))
    ),
    "price_level": lambda m: m.price_level,
    "main_category": lambda m: min(m.by_category, key=lambda c: (-m.by_category[c], c), default=None),
    "main_category_share": lambda m: over(max(m.by_category.values(), default=None), money(m.lines)),
    "return_rate": lambda m: over(len(m.own(m.known.returns)), len(m.own(m.known.returns)) + len(m.lines)),
    "days_since_return": lambda m: m.since([row["day"] for row in m.own(m.known.returns)]),
    "launch_adoption_rate": lambda m: over(m.launches_bought, len(m.launched)),
    "launches_bought_365d": lambda m: m.launches_bought,
    "views_30d": _kind("view"),
    "favourites_30d": _kind("favourite"),
    "carts_30d": _kind("cart"),
    "searches_30d": _kind("search"),
    "check_ins_30d": _kind("check_in"),
    "events_90d": lambda m: len(m.recent(m.known.events, 90)),
    "days_since_event": lambda m: m.since([row["day"] for row in m.own(m.known.events)]),
    "days_since_cart": lambda m: m.since([row["day"] for row in m.own(m.known.events) if row["type"] == "cart"]),
    "viewed_products_30d": _seen,
    "contacts_30d": lambda m: len(m.recent(m.known.contacts, 30)),
    "contacts_365d": lambda m: len(m.recent(m.known.contacts, 365)),
    "days_since_contact": lambda m: m.since([row["day"] for row in m.own(m.known.contacts)]),
    "redemptions_90d": lambda m: len(m.recent(m.known.redemptions, 90)),
    "redemptions_365d": lambda m: len(m.recent(m.known.redemptions, 365)),
    "days_since_redemption": lambda m: m.since([row["day"] for row in m.own(m.known.redemptions)]),
    "redemptions_per_contact_365d": lambda m: over(
        len(m.recent(m.known.redemptions, 365)), len(m.recent(m.known.contacts, 365))
    ),
    "days_since_registration": _registered,
    "age_years": lambda m: _age(m.known, m.profile.get("birth_date"), 365.25),
    "child_age_months": lambda m: _age(m.known, m.profile.get("child_birth_date"), 30.4375),
    **{
        name: lambda m, name=name: m.profile.get(name)  # type: ignore[misc]
        for name in ("points_balance", "gender", "city", "source_channel", "tier")
    },
}
