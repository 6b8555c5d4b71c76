"""What a placement answers, said slowly and plainly over the frames of a `Content`: by ids, without shortcuts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from recsys.answers.ask import Ask
from recsys.answers.policy import Boost, Dated, Placements, Policy
from recsys.artifacts.publication_files import id_key
from recsys.store.live import NOTHING, Doings
from tests.publications import Made

Choice = tuple[str, str]
"""Product id, source."""


class Shop:
    """A content, by id. order: product ids as the publication keeps them, which settles ties."""

    def __init__(self, content: Made) -> None:
        self.content = content
        products: Any = content.products.set_index("product_id").to_dict("index")
        self.products: dict[str, dict[str, Any]] = products
        self.order = {p: n for n, p in enumerate(sorted(products, key=id_key))}
        self.members: dict[str, Any] = {
            str(member.member_id): member
            for member in content.members.itertuples()
            if member.member_id not in content.opted_out
        }
        frames = ("recommend", "discovery", "challenger", "challenger_discovery", "new_product", "bought")
        self.rows = {frame: self.by_member(frame) for frame in frames if frame in content.frames}
        self.bands: dict[str, Any] = {str(band.member_id): band for band in content.price_bands.itertuples()}
        self.near: dict[tuple[str, str], dict[str, float]] = {}
        for row in sorted(
            content.neighbours.itertuples(), key=lambda row: (row.rank, self.order[str(row.neighbour_id)])
        ):
            near = self.near.setdefault((str(row.product_id), str(row.kind)), {})
            near[str(row.neighbour_id)] = float(np.float32(str(row.score)))

    def by_member(self, frame: str) -> dict[str, list[Any]]:
        rows: dict[str, list[Any]] = {}
        told: Any = self.content.frames[frame]
        for row in told.itertuples():
            rows.setdefault(row.member_id, []).append(row)
        return rows

    def category(self, product: str) -> str:
        return str(self.products[product]["category"])

    def subcategory(self, product: str) -> tuple[str, str] | None:
        told = self.products[product]["subcategory"]
        return None if told is None else (self.category(product), told)

    def pairs(self, frame: str, member: str | None, keep: int | None = None) -> list[str]:
        """A member's products in a frame, best first."""
        own = self.rows[frame].get(member or "", [])
        ordered = sorted(own, key=lambda row: (-np.float32(row.score), self.order[row.product_id]))
        return [row.product_id for row in ordered][:keep]

    def neighbours(self, product: str, kind: str) -> dict[str, float]:
        """A product's neighbours of a kind and their scores, nearest first."""
        return self.near.get((product, kind), {})

    def by_popularity(self, products: Any) -> list[str]:
        return sorted(products, key=lambda product: self.products[product]["popularity"])

    def of_category(self, category: str) -> list[str]:
        return self.by_popularity(p for p in self.products if self.category(p) == category)


@dataclass
class Oracle:
    """One answer."""

    shop: Shop
    stock: Mapping[str, float]
    placements: Placements
    policy: Policy
    ask: Ask
    done: Doings
    now: float

    def __post_init__(self) -> None:
        known = self.ask.personalised and self.ask.member_id in self.shop.members
        self.member = self.ask.member_id if known else None
        self.personal = self.ask.personalised and self.ask.member_id not in self.shop.content.opted_out
        if not self.personal or (self.ask.member_id is None and self.ask.anonymous_id is None):
            self.done = NOTHING
        tries = self.policy.model == "challenger"
        self.listed, self.new = ("challenger", "challenger_discovery") if tries else ("recommend", "discovery")
        self.around = [p for p in self.ask.products if p in self.shop.products]

    def answer(self) -> tuple[list[Choice], list[str]]:
        policy, k = self.policy, self.ask.k
        self.limits = {"max_per_category", "price_band", "filters", "impressions", "recently_bought"}
        self.pins: list[tuple[int, Choice]] = []
        self.picks: list[Choice] = []
        self.kept: list[Choice] = []
        steps: list[str] = []
        promoting = not policy.caps.member_per_day or self.done.shown_total < policy.caps.member_per_day
        if promoting:
            self.pin()
            for rule in policy.sources:
                if rule.share is not None:
                    self.take(self.candidates(rule.name), rule.name, min(int(rule.share * k), self.open), self.kept)
        self.mix(boosts=policy.boosts if promoting else ())
        for rule in policy.sources:
            self.take(self.candidates(rule.name), rule.name, self.open, self.picks)
        for source in policy.fallback:
            had = self.open
            self.take(self.candidates(source), source, self.open, self.picks)
            steps += [str(source)] if self.open < had else []
        for limit, only_if_empty in (
            ("max_per_category", False),
            ("price_band", False),
            ("filters", True),
            ("impressions", True),
            ("recently_bought", True),
        ):
            if self.open == 0 or (only_if_empty and self.open < k):
                continue
            self.limits.discard(limit)
            had = self.open
            for source in dict.fromkeys((*(rule.name for rule in policy.sources), *policy.fallback)):
                self.take(self.candidates(source), source, self.open, self.picks)
            steps += [limit] if self.open < had else []
        items = [*self.picks, *self.kept]
        for place, choice in self.pins:
            items.insert(place, choice)
        return items, steps

    @property
    def chosen(self) -> list[str]:
        return [product for product, _ in (*self.picks, *self.kept, *(choice for _, choice in self.pins))]

    @property
    def open(self) -> int:
        return self.ask.k - len(self.chosen)

    def take(self, candidates: list[str], source: str, n: int, into: list[Choice]) -> None:
        for product in candidates:
            if n > 0 and self.suits(product) and self.has_room(product):
                into.append((product, source))
                n -= 1

    def pin(self) -> None:
        for place in range(self.ask.k):
            for pin in self.policy.pins:
                held = place in [at for at, _ in self.pins]
                if pin.place - 1 != place or held or pin.product not in self.shop.products:
                    continue
                if self.holds(pin) and self.suits(pin.product) and self.has_room(pin.product):
                    self.pins.append((place, (pin.product, "pinned")))

    def mix(self, boosts: tuple[Boost, ...]) -> None:
        worth: dict[str, float] = {}
        foremost: dict[str, tuple[float, int, int]] = {}
        weighted = [rule for rule in self.policy.sources if rule.worth > 0]
        for place, rule in enumerate(weighted):
            for rank, product in enumerate(self.candidates(rule.name)[: self.policy.depth]):
                one = rule.worth / (60 + rank)
                worth[product] = worth.get(product, 0.0) + one
                if product not in foremost or one > -foremost[product][0]:
                    foremost[product] = (-one, place, rank)
        for product in worth:
            factor = 1.0
            for boost in boosts:
                if self.holds(boost) and self.names(boost, product):
                    factor *= boost.factor
            worth[product] *= factor
        ordered = sorted(worth, key=lambda product: (-worth[product], *foremost[product][1:]))
        left = [product for product in ordered if self.suits(product)]
        share = 1.0 if self.policy.mmr is None else self.policy.mmr
        unit = share / worth[left[0]] if left else 1.0
        while self.open:
            left = [product for product in left if self.has_room(product)]
            if not left:
                return
            best = max(left, key=lambda product: unit * worth[product] - (1 - share) * self.likeness(product))
            left.remove(best)
            self.picks.append((best, str(weighted[foremost[best][1]].name)))

    def likeness(self, product: str) -> float:
        shop = self.shop
        if shop.subcategory(product) in {shop.subcategory(one) for one in self.chosen} - {None}:
            return 1.0
        return 0.5 if shop.category(product) in {shop.category(one) for one in self.chosen} else 0.0

    def has_room(self, product: str) -> bool:
        limit = self.policy.max_per_category
        if limit is None or "max_per_category" not in self.limits:
            return True
        return Counter(map(self.shop.category, self.chosen))[self.shop.category(product)] < limit

    def suits(self, product: str) -> bool:
        policy, told = self.policy, self.shop.products[product]
        in_cart = {touch.product_id for touch in self.done.cart}
        if not self.on_sale(product) or product in {*self.chosen, *self.ask.products, *self.ask.exclude, *in_cart}:
            return False
        for name, lists in ((told["category"], policy.categories), (told["brand"], policy.brands)):
            if name in lists.deny or (lists.allow and name not in lists.allow):
                return False
        if "price_band" in self.limits and not self.in_band(told["price_level"]):
            return False
        if "filters" in self.limits and not self.wanted(told):
            return False
        cap = policy.caps.product_per_day
        if "impressions" in self.limits and cap is not None and self.done.shown.get(product, 0) >= cap:
            return False
        return "recently_bought" not in self.limits or self.due(product)

    def on_sale(self, product: str) -> bool:
        told, day = self.shop.products[product], self.shop.content.as_of.number
        if told["launched_day"] > day or told["delisted_day"] <= day:
            return False
        return not self.stock.get(product, told["stock"]) <= 0

    def in_band(self, level: float) -> bool:
        own, slack = self.shop.bands.get(self.member or ""), self.policy.price_band
        if slack is None or own is None:
            return True
        return not (level < own.low * (1 - slack) or level > own.high * (1 + slack))

    def wanted(self, told: dict[str, Any]) -> bool:
        filters = self.ask.filters
        if filters.categories and told["category"] not in filters.categories:
            return False
        if filters.brands and told["brand"] not in filters.brands:
            return False
        if filters.price_min is not None and not told["price"] >= filters.price_min:
            return False
        return filters.price_max is None or told["price"] <= filters.price_max

    def due(self, product: str) -> bool:
        for row in self.shop.rows["bought"].get(self.member or "", []):
            if row.product_id == product and row.days_since < self.policy.recent_days:
                return False
        for touch in self.done.bought:
            if touch.product_id == product and (self.now - touch.at) / 86_400 < self.rest(product):
                return False
        return True

    def rest(self, product: str) -> float:
        if self.shop.products[product]["consumable"] == 0:
            return self.policy.recent_days
        for row in self.shop.rows[self.listed].get(self.member or "", []):
            if row.product_id == product and row.mean_gap > 0:
                return self.policy.due_share * float(row.mean_gap)
        return self.policy.rest_days

    def holds(self, dated: Dated) -> bool:
        day = datetime.fromtimestamp(self.now, UTC).astimezone(ZoneInfo(self.shop.content.as_of.zone)).date()
        if (dated.first_day and day < dated.first_day) or (dated.last_day and day > dated.last_day):
            return False
        tags = set(self.shop.members[self.member].tags or ()) if self.member is not None else set()
        some, every = {str(tag) for tag in dated.audience.any}, {str(tag) for tag in dated.audience.all}
        return every <= tags and (not some or bool(some & tags))

    def names(self, boost: Boost, product: str) -> bool:
        told = self.shop.products[product]
        return product in boost.products or told["category"] in boost.categories or told["brand"] in boost.brands

    def candidates(self, source: str) -> list[str]:
        shop, member = self.shop, self.member
        makers: dict[str, Callable[[], list[str]]] = {
            "personal": lambda: shop.pairs(self.listed, member, 100),
            "discovery": lambda: shop.pairs(self.new, member, 30),
            "new": lambda: shop.pairs("new_product", member),
            "together": lambda: self.near("together"),
            "similar": lambda: self.near("similar"),
            "live": self.live,
            "declared": self.declared,
            "popular_in_category": self.popular_in_category,
            "popular": lambda: shop.by_popularity(shop.products),
        }
        return makers[source]()

    def popular_in_category(self) -> list[str]:
        known = [category for category in self.ask.filters.categories if self.shop.of_category(category)]
        categories = set(known) or {self.shop.category(product) for product in self.around}
        return self.shop.by_popularity(p for p in self.shop.products if self.shop.category(p) in categories)

    def near(self, kind: str) -> list[str]:
        best: dict[str, float] = {}
        for product in self.around:
            for other, score in self.shop.neighbours(product, kind).items():
                best[other] = max(best.get(other, 0.0), score)
        return sorted(best, key=lambda product: (-best[product], self.shop.order[product]))

    def live(self) -> list[str]:
        live, found = self.policy.live, []
        for kind, weight, near in (
            ("cart", live.cart, "together"),
            ("favourites", live.favourites, "similar"),
            ("viewed", live.viewed, "similar"),
        ):
            for age, product in enumerate(self.touched(kind)):
                around = [product, *list(self.shop.neighbours(product, near))[: live.neighbours]]
                for place, one in enumerate(around):
                    if kind != "cart" or place > 0:
                        found.append((-weight * live.decay**age / (1 + place), kind, age, place, one))
        return list(dict.fromkeys(one for *_, one in sorted(found)))

    def touched(self, kind: str) -> list[str]:
        bought = {touch.product_id: touch.at for touch in self.done.bought}
        recent = list(self.ask.recent) if kind == "viewed" and self.personal else []
        unbought = [t.product_id for t in getattr(self.done, kind) if bought.get(t.product_id, 0) < t.at]
        known = [product for product in (*recent, *unbought) if product in self.shop.products]
        return list(dict.fromkeys(known))[: self.policy.live.touches]

    def declared(self) -> list[str]:
        lists = [self.shop.of_category(category) for category in dict.fromkeys(self.wishes())]
        longest = max(map(len, lists), default=0)
        return [one[turn] for turn in range(longest) for one in lists if turn < len(one)]

    def wishes(self) -> Iterator[str]:
        yield from self.ask.preferences
        questions = self.placements.questions
        for name, answers in self.ask.answers.items():
            for answer in answers:
                yield from questions[name].answers.get(answer, ()) if name in questions else ()
        for name, question in questions.items():
            if name in self.ask.answers or self.member is None or question.attribute is None:
                continue
            kept = self.shop.members[self.member].attributes or {}
            for answer in kept.get(question.attribute, "").split(","):
                yield from question.answers.get(answer.strip(), ())
