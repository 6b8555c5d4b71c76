"""A shop as plain Python objects, cut at as_of by hand: what the slow oracles read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from recsys.core.time import AsOf
from recsys.data.tables import Tables

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    member: str
    product: str
    category: str
    subcategory: str
    brand: str | None
    day: int
    hour: int
    weekday: int
    money: float
    discount: float
    quantity: float
    coupon: str | None
    channel: str | None
    store: str | None


@dataclass(frozen=True)
class Known:
    """Everything before as_of, in lists.

    lines: purchases, without returns; launches: products announced or launched within 28 days around as_of.
    """

    as_of: AsOf
    lines: list[Line]
    returns: list[Row]
    events: list[Row]
    contacts: list[Row]
    redemptions: list[Row]
    members: dict[str, Row]
    products: dict[str, Row]
    launches: dict[str, Row]
    stages: list[Row]

    @property
    def today(self) -> int:
        return self.as_of.number

    def ago(self, day: int) -> int:
        return self.today - day

    @cached_property
    def by_member(self) -> dict[str, list[Line]]:
        return _grouped(self.lines, "member")

    @cached_property
    def by_category(self) -> dict[str, list[Line]]:
        return _grouped(self.lines, "category")

    @cached_property
    def by_product(self) -> dict[str, list[Line]]:
        return _grouped(self.lines, "product")

    @cached_property
    def known_members(self) -> set[str]:
        return {line.member for line in self.lines} | {row["member_id"] for row in self.returns} | set(self.members)

    @cached_property
    def personal(self) -> set[str]:
        return {m for m in self.known_members if self.members.get(m, {}).get("consent_personalised", True)}

    @cached_property
    def all_products(self) -> dict[str, Row]:
        sold = {line.product for line in self.lines} | {row["product_id"] for row in self.returns}
        bare = {product: {"product_id": product} for product in sold}
        return bare | self.launches | self.products

    def attribute(self, product: str, name: str) -> Any:
        return self.all_products.get(product, {}).get(name)

    def category_of(self, product: str) -> str:
        return self.attribute(product, "category") or "unknown"

    def subcategory_of(self, product: str) -> str:
        return subcategory(self.all_products.get(product, {}))

    @cached_property
    def by_subcategory(self) -> dict[str, list[Line]]:
        return _grouped(self.lines, "subcategory")

    @cached_property
    def category_price(self) -> dict[str, float]:
        """Money a unit."""
        return {
            category: sum(line.money for line in lines) / sum(line.quantity for line in lines)
            for category, lines in self.by_category.items()
        }


def subcategory(product: Row) -> str:
    """Category and subcategory together, as a name may stand in several categories."""
    category, name = product.get("category") or "unknown", product.get("subcategory")
    return category if name is None else f"{category} > {name}"


def know(tables: Tables, as_of: AsOf) -> Known:
    """Read the tables whole and keep what was known before as_of."""
    with tables.connect() as connection:

        def read(table: str) -> list[Row]:
            found = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        now = as_of.instant.replace(tzinfo=None)
        soon, lately = as_of.plus(days=28).instant, as_of.plus(days=-28).instant
        every = {row["product_id"]: row for row in read("products")}
        products = {key: row for key, row in every.items() if row["launched_at"] is None or row["launched_at"] < now}
        launches = {
            key: row
            for key, row in every.items()
            if row["launched_at"] is not None
            and lately.replace(tzinfo=None) <= row["launched_at"] < soon.replace(tzinfo=None)
        }
        members = {
            row["member_id"]: _as_known(row, now)
            for row in read("members")
            if row["registered_at"] is None or row["registered_at"] < now
        }
        stages = read("life_stages")
        before = {
            table: [row for row in read(table) if row["day"] < as_of.number]
            for table in ("orders", "events", "contacts", "redemptions")
        }
    catalogue = launches | products
    return Known(
        as_of,
        [_line(row, catalogue) for row in before["orders"] if not row["is_return"]],
        [row for row in before["orders"] if row["is_return"]],
        before["events"],
        before["contacts"],
        before["redemptions"],
        members,
        products,
        launches,
        stages,
    )


def day_of(value: date) -> int:
    return (value - date(1970, 1, 1)).days


def days_of(lines: Iterable[Line]) -> list[int]:
    return sorted({line.day for line in lines})


def _as_known(row: Row, now: Any) -> Row:
    if row["updated_at"] is not None and row["updated_at"] < now:
        return row
    return row | {"tier": None, "points_balance": None}


def _line(row: Row, catalogue: dict[str, Row]) -> Line:
    product = catalogue.get(row["product_id"], {})
    return Line(
        row["member_id"],
        row["product_id"],
        product.get("category") or "unknown",
        subcategory(product),
        product.get("brand"),
        row["day"],
        row["hour"],
        row["weekday"],
        row["amount"],
        row["discount"] or 0.0,
        row["quantity"],
        row["coupon_id"],
        row["channel"],
        row["store_id"],
    )


def _grouped(lines: list[Line], name: str) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(getattr(line, name), []).append(line)
    return groups
