"""Which members a rule takes, worked out slowly over the tables a publication was made from, one member at a time."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import Tag
from tests.publications import Made

Data = dict[str, Any]
Row = dict[str, Any]


def missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def plain(row: Mapping[Hashable, Any]) -> Row:
    """A row by column name, with None for what is missing."""
    return {str(name): None if missing(value) else value for name, value in row.items()}


@dataclass
class RuleOracle:
    """order: member ids as the publication has them, by which ties at the edge of a top share are settled."""

    content: Made
    order: list[str]

    def takes(self, rule: Data) -> set[str]:
        return {member for member in self.order if self.one(rule, member)}

    def one(self, rule: Data, member: str) -> bool:
        if "all" in rule:
            return all(self.one(part, member) for part in rule["all"])
        if "any" in rule:
            return any(self.one(part, member) for part in rule["any"])
        if "not" in rule:
            return not self.one(rule["not"], member)
        leaves: dict[str, Callable[[Data, str], bool]] = {
            "tag": self.tag,
            "segment": self.segment,
            "bought": self.bought,
            "event": self.event,
            "score": self.score,
            "contacted": self.contacted,
        }
        return next(take for kind, take in leaves.items() if kind in rule)(rule, member)

    def tag(self, rule: Data, member: str) -> bool:
        assert self.content.tagged is not None
        feature = self.find(self.content.members, member)
        if rule["tag"] in list(Tag):
            return rule["tag"] in (feature["tags"] or [])
        told = {**self.find(self.content.tagged.tags, member), **feature}
        value = told[rule["tag"]]
        if missing(value):
            return bool(rule.get("unknown", False))
        if "is" in rule:
            return value in rule["is"]
        return (
            bool(rule.get("min", -math.inf) <= value < rule.get("max", math.inf))
            if not isinstance(value, str)
            else True
        )

    def segment(self, rule: Data, member: str) -> bool:
        assert self.content.tagged is not None
        value = self.find(self.content.tagged.segments, member)[rule["segment"]]
        return bool(rule.get("unknown", False)) if missing(value) else value in rule.get("is", [])

    def bought(self, rule: Data, member: str) -> bool:
        rows = self.recent(self.content.purchases, member, rule["days"])
        days = {row["day"] for row in rows if self.of(rule["bought"], row["product_id"])}
        return self.counted(rule, len(days))

    def event(self, rule: Data, member: str) -> bool:
        goods = rule.get("of", {})
        rows = self.recent(self.content.events, member, rule["days"])
        rows = [
            row for row in rows if not goods or (row["product_id"] is not None and self.of(goods, row["product_id"]))
        ]
        if rule["event"] == "visit":
            return self.counted(rule, len({row["day"] for row in rows}))
        return self.counted(rule, sum(row["type"] == rule["event"] for row in rows))

    def contacted(self, rule: Data, member: str) -> bool:
        columns = {"channel": "channel", "campaign": "campaign_id", "format": "content_format"}
        rows = self.recent(self.content.contacts, member, rule["days"])
        for name, wanted in rule["contacted"].items():
            rows = [row for row in rows if row[columns[name]] in wanted]
        return self.counted(rule, len(rows))

    def score(self, rule: Data, member: str) -> bool:
        scores = self.cached(repr(rule), lambda: {one: self.score_of(rule, one) for one in self.order})
        own = scores[member]
        if own is None:
            return False
        if "top_share" in rule:
            known = [one for one in self.order if scores[one] is not None]
            ranked = sorted(known, key=lambda one: -(scores[one] or 0.0))  # stable: ties stay in the order of rows
            return member in ranked[: max(1, round(rule["top_share"] * len(known)))]
        return bool(rule.get("min", -math.inf) <= own < rule.get("max", math.inf))

    def score_of(self, rule: Data, member: str) -> float | None:
        task, content = rule["score"], self.content
        if task in ("churn", "active", "value"):
            rows = self.rows(content.value if task == "value" else content.churn, member)
            found = [row["score"] for row in rows]
            return None if not found else 1 - found[0] if task == "active" else found[0]
        if task == "repurchase":
            names = rule.get("category", [])
            rows = self.rows(content.repurchase, member)
            values = [
                row[f"p{rule.get('within', 14)}"]
                for row in rows
                if (not names or row["category"] in names) and not row["need_ends_day"] <= content.as_of.number
            ]
        elif task == "discovery":
            goods = {"category": rule.get("category", [])} if rule.get("category") else {}
            values = [
                row["score"]
                for row in self.rows(content.discovery, member)
                if self.of(goods, row["product_id"]) and rule.get("product_id") in (None, row["product_id"])
            ]
        else:
            frame = content.new_product if task == "new_product" else content.recommend
            values = [row["score"] for row in self.rows(frame, member) if row["product_id"] == rule["product_id"]]
        return max(float(np.float32(value)) for value in values) if values else None

    def of(self, goods: Data, product: str) -> bool:
        row = self.products.get(product)
        if row is None:
            return False
        columns = {"category": "category", "subcategory": "subcategory", "brand": "brand", "product": "product_id"}
        return all(row[columns[kind]] in names for kind, names in goods.items())

    @property
    def products(self) -> dict[str, Row]:
        def listed() -> dict[str, Row]:
            return {str(row["product_id"]): plain(row) for row in self.content.products.to_dict("records")}

        found: dict[str, Row] = self.cached("products", listed)
        return found

    def recent(self, facts: pd.DataFrame, member: str, days: int) -> list[Row]:
        today = self.content.as_of.number
        return [row for row in self.rows(facts, member) if today - days <= row["day"] < today]

    def counted(self, rule: Data, count: int) -> bool:
        least = rule.get("min", 0 if "max" in rule else 1)
        return bool(least <= count <= rule.get("max", math.inf))

    def find(self, frame: pd.DataFrame, member: str) -> Row:
        rows = self.rows(frame, member)
        return rows[0] if rows else dict.fromkeys(frame.columns)

    def rows(self, frame: pd.DataFrame, member: str) -> list[Row]:
        by_member: dict[str, list[Row]] = self.cached(str(id(frame)), lambda: self.grouped(frame))
        return by_member.get(member, [])

    def grouped(self, frame: pd.DataFrame) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in map(plain, frame.to_dict("records")):
            if row.get("need_ends_day", 0) is None:
                row["need_ends_day"] = math.inf
            found.setdefault(str(row["member_id"]), []).append(row)
        return found

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        cache = self.__dict__.setdefault("_cache", {})
        if name not in cache:
            cache[name] = make()
        return cache[name]
