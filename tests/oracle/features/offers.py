"""The candidate sources of a level told anew from a shop's lines."""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.level import PRODUCT, Level
from tests.oracle.features.arithmetic import members_of, pairs_of_days
from tests.oracle.features.item_oracle import category_of_subcategory
from tests.oracle.features.known import Known, Line, days_of
from tests.oracle.features.next_basket_oracle import (
    Vector,
    bm25,
    frequency_vector,
    mean_vector,
    nearest,
    shrunk_cosine,
    user_popularity,
)

CLOSE = 1e-5
EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40, 60, 100, 10**6)
SPANS = [range(low + 1, high + 1) for low, high in pairwise(EDGES)]


@dataclass(frozen=True)
class Choice:
    """What a source names: surely, and possibly where keys are equal (or so close that rounding decides)."""

    sure: set[str]
    possible: set[str]


def first(keys: dict[str, Any], count: int) -> Choice:
    """The items with the highest keys."""
    order = sorted(keys, key=lambda item: keys[item], reverse=True)
    if len(order) <= count:
        return Choice(set(order), set(order))
    if not count:
        return Choice(set(), set())
    last = keys[order[count - 1]]
    if isinstance(last, float):
        room = CLOSE * max(abs(last), CLOSE)
        return Choice({i for i in order if keys[i] > last + room}, {i for i in order if keys[i] >= last - room})
    return Choice({i for i in order if keys[i] > last}, {i for i in order if keys[i] >= last})


def counted(runs: list[tuple[int, bool]], span: range) -> tuple[int, int]:
    """Purchases, and visits at which there might have been one, in a span of visits after a purchase."""
    purchases = sum(bought and visits in span for visits, bought in runs)
    return purchases, sum(len(range(span.start, min(span.stop, visits + 1))) for visits, _ in runs)


class Offers:
    def __init__(self, known: Known, level: Level, config: CandidateConfig) -> None:
        self.known = known
        self.level = level
        self.pool = config.pool
        self.config: LevelConfig = config.of(level)
        for name in ("tifu", "own_vector", "upcf", "near", "alike", "history", "choices"):
            object.__setattr__(self, name, cache(getattr(self, name)))

    def item_of(self, line: Line) -> str:
        return str(getattr(line, self.level.name))

    def lines(self, member: str) -> list[Line]:
        return self.known.by_member.get(member, [])

    def days(self, member: str) -> dict[str, list[int]]:
        """The member's purchase days of each item."""
        found: dict[str, set[int]] = {}
        for line in self.lines(member):
            found.setdefault(self.item_of(line), set()).add(line.day)
        return {item: sorted(days) for item, days in found.items()}

    def category(self, item: str) -> str:
        return self.known.category_of(item) if self.level is PRODUCT else category_of_subcategory(self.known, item)

    def sold(self, item: str) -> bool:
        """Whether it may still be offered: a subcategory as long as one of its products may."""
        if self.level is PRODUCT:
            at = self.known.attribute(item, "delisted_at") if item in self.known.products else None
            return at is None or at >= self.known.as_of.instant.replace(tzinfo=None)
        product = Offers(self.known, PRODUCT, CandidateConfig())
        return any(product.sold(p) for p in self.known.all_products if self.known.subcategory_of(p) == item)

    @cached_property
    def catalogue(self) -> set[str]:
        """All that may be offered and was ever bought by a member who agrees to personal answers."""
        bought = {self.item_of(line) for line in self.known.lines if line.member in self.known.personal}
        return set(filter(self.sold, bought))

    @cached_property
    def active(self) -> list[str]:
        recent = {line.member for line in self.known.lines if self.known.ago(line.day) <= 84}
        return sorted(recent & self.known.personal)

    @cached_property
    def drawn(self) -> list[str]:
        """The pool: members in the order of a hash of their ids."""
        bought = sorted(members_of(self.known.lines) & self.known.personal)
        hashes = pd.util.hash_array(np.array(bought, dtype=object))
        return [bought[place] for place in np.argsort(hashes)][: self.pool]

    def baskets(self, member: str) -> list[set[str]]:
        """What may be offered of each visit, oldest first."""
        lines = self.lines(member)
        return [{self.item_of(line) for line in lines if line.day == day} & self.catalogue for day in days_of(lines)]

    def own_vector(self, member: str) -> Vector:
        tifu = self.config.tifu
        return frequency_vector(self.baskets(member), tifu.group, tifu.within, tifu.between)

    def near_vector(self, member: str) -> Vector:
        others = {one: self.own_vector(one) for one in self.drawn if one != member}
        return mean_vector(others[one] for one in nearest(self.own_vector(member), others, self.config.tifu.neighbours))

    def tifu(self, member: str) -> tuple[Vector, Vector, Vector]:
        """TIFU-KNN's prediction, the neighbours' mean, and the share of each item in the own vector."""
        own, near, alpha = self.own_vector(member), self.near_vector(member), self.config.tifu.alpha
        mixed = {item: alpha * own.get(item, 0) + (1 - alpha) * near.get(item, 0) for item in own.keys() | near.keys()}
        return mixed, near, {item: value / sum(own.values()) for item, value in own.items()}

    def upcf(self, member: str) -> Vector:
        upcf = self.config.upcf
        others = [self.baskets(one) for one in self.drawn if one != member]
        return user_popularity(self.baskets(member), others, upcf.visits, upcf.asymmetry, upcf.locality)

    @cached_property
    def year(self) -> dict[str, dict[str, int]]:
        """Factorised item -> member -> purchase days in the last year."""
        found: dict[str, dict[str, int]] = {}
        for member in sorted(self.known.personal):
            for item, days in self.days(member).items():
                recent = sum(self.known.ago(day) <= 365 for day in days)
                if recent:
                    found.setdefault(item, {})[member] = recent
        least = self.config.collaborative.min_buyers
        return {item: found[item] for item in sorted(found) if len(found[item]) >= least and self.sold(item)}

    @cached_property
    def similar(self) -> dict[str, Vector]:
        return shrunk_cosine({item: set(days) for item, days in self.year.items()}, self.config.collaborative.shrink)

    @cached_property
    def bm25(self) -> dict[str, Vector]:
        return bm25(self.year, self.config.collaborative.k1, self.config.collaborative.b)

    def history(self, member: str) -> dict[str, int]:
        return {
            item: sum(self._weight(self.known.ago(day)) for day in days) for item, days in self.days(member).items()
        }

    def near(self, member: str) -> Vector:
        """neighbour_score of every item that has one."""
        weights = {item: score for item, score in self.history(member).items() if member in self.year.get(item, {})}
        return self._spread(weights, self.similar)

    def alike(self, member: str) -> Vector:
        """bm25_score of every item that has one."""
        return self._spread({item: days[member] for item, days in self.year.items() if member in days}, self.bm25)

    @cached_property
    def factors(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """ALS by the library, over a matrix made anew."""
        items = list(self.year)
        members = sorted({member for days in self.year.values() for member in days})
        confidence = np.zeros((len(members), len(items)), dtype=np.float32)
        for column, days in enumerate(self.year.values()):
            for member, count in days.items():
                confidence[members.index(member), column] = 1 + np.log1p(np.float32(count))
        chosen = self.config.collaborative
        model = AlternatingLeastSquares(
            factors=chosen.factors,
            regularization=chosen.regularization,
            iterations=chosen.iterations,
            random_state=chosen.seed,
            num_threads=1,
        )
        model.fit(csr_matrix(confidence), show_progress=False)
        return dict(zip(members, model.user_factors, strict=True)), dict(zip(items, model.item_factors, strict=True))

    def taste(self, member: str, item: str) -> Any:
        members, items = self.factors
        return float(members[member] @ items[item]) if member in members and item in items else None

    @cached_property
    def often(self) -> dict[str, int]:
        """Member and day pairs of the last 28 days."""
        recent = [line for line in self.known.lines if self.known.ago(line.day) <= 28]
        found = {item: [line for line in recent if self.item_of(line) == item] for item in self.catalogue}
        return {item: len(pairs_of_days(lines)) for item, lines in found.items()}

    @cached_property
    def recent_buyers(self) -> dict[str, int]:
        recent = [line for line in self.known.lines if self.known.ago(line.day) <= 90]
        items = {self.item_of(line) for line in self.known.lines}
        return {item: len(members_of(line for line in recent if self.item_of(line) == item)) for item in items}

    @cached_property
    def runs(self) -> dict[str, list[tuple[int, bool]]]:
        """Item -> every run of visits after a purchase: how many there were, and whether the last bought it again."""
        found: dict[str, list[tuple[int, bool]]] = {}
        for member in self.known.personal & set(self.known.by_member):
            visits = days_of(self.lines(member))
            for item, days in self.days(member).items():
                places = [visits.index(day) for day in days]
                found.setdefault(item, []).extend((late - early, True) for early, late in pairwise(places))
                found[item].append((len(visits) - 1 - places[-1], False))
        return found

    @cached_property
    def curve(self) -> list[tuple[int, int]]:
        """Purchases and chances of all items in each span of visits."""
        every = [run for runs in self.runs.values() for run in runs]
        return [counted(every, span) for span in SPANS]

    def hazard(self, item: str, visit: int) -> float:
        """Chance of a purchase at the visit, of those who had not bought it since: counts shrunk to curve and rate."""
        usual = [purchases / max(chances, 1) for purchases, chances in self.curve]
        own = [counted(self.runs[item], span) for span in SPANS]
        expected = sum(chances * chance for (_, chances), chance in zip(own, usual, strict=True))
        rate = (sum(purchases for purchases, _ in own) + 20) / (expected + 20)
        here = next(number for number, span in enumerate(SPANS) if visit in span)
        purchases, chances = own[here]
        return min(1.0, (purchases + 30 * usual[here] * rate) / (chances + 30))

    def choices(self, member: str) -> dict[str, list[Choice]]:
        """What each source names for an active member, sources in their order."""
        days, score, config = self.days(member), self.history(member), self.config
        mine = [item for item in days if self.sold(item)]

        def twice(scores: dict[str, float], new: int, floor: float = 0.0) -> list[Choice]:
            known = {item: float(value) for item, value in scores.items() if value > floor and item in self.catalogue}
            return [first(known, config.each), first({i: v for i, v in known.items() if i not in days}, new)]

        named = {
            "history": [
                first({item: (score[item], days[item][-1]) for item in mine}, config.history),
                first({item: (len(days[item]), days[item][-1]) for item in mine}, config.frequency),
                first({item: (len(days[item]), self.often.get(item, 0)) for item in mine}, config.frequency),
            ],
            "tifu": twice(self.tifu(member)[0], config.near),
            "upcf": twice(self.upcf(member), config.near),
            "neighbour": twice(self.near(member), config.near),
            "bm25": twice(self.alike(member), config.near),
            "als": twice({i: t for i in self.year if (t := self.taste(member, i)) is not None}, config.als, -np.inf),
            "kin": [self._kin(member, days)],
            "popular": twice({item: float(times) for item, times in self.often.items()}, config.popular),
        }
        if self.level is PRODUCT:
            launches = {p for p in self.known.launches if p not in days and self.sold(p)}
            named["launch"] = [Choice(launches, launches)]
        return named

    def _kin(self, member: str, days: dict[str, list[int]]) -> Choice:
        mine: dict[str, set[int]] = {}
        for line in self.lines(member):
            mine.setdefault(line.category, set()).add(line.day)
        order = sorted(mine, key=lambda c: (len(mine[c]), max(mine[c]), self._money(member, c)), reverse=True)
        keys: dict[str, Any] = {}
        for category in order[:10]:
            shelf = {i: n for i, n in self.recent_buyers.items() if n and self.category(i) == category and self.sold(i)}
            assert len(shelf) <= 30
            keys |= {item: (len(mine[category]) * n, n) for item, n in shelf.items() if item not in days}
        return first(keys, self.config.kin)

    def _money(self, member: str, category: str) -> float:
        return sum(line.money for line in self.lines(member) if line.category == category)

    @staticmethod
    def _spread(weights: dict[str, int], similar: dict[str, Vector]) -> Vector:
        """Mean similarity of every item to weighted ones."""
        scores: Vector = {}
        for item, weight in weights.items():
            for other, similarity in similar.get(item, {}).items():
                scores[other] = scores.get(other, 0) + weight * similarity / sum(weights.values())
        return scores

    @staticmethod
    def _weight(ago: int) -> int:
        return 8 if ago <= 28 else 4 if ago <= 84 else 2 if ago <= 182 else 1
