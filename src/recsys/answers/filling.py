"""One answer while it is filled: pins, kept shares, the mixed sources, the rest of them, fallbacks, lifted limits.

`tests/oracle/answers` says the same slowly and plainly.
"""

from collections.abc import Iterable, Iterator

from recsys.answers.candidates import Pool, nothing_of, pinned, pool
from recsys.answers.desk import Desk
from recsys.answers.mixing import Candidate, mixed
from recsys.answers.shapes import Fallback, Source
from recsys.answers.visit import Visit, filter_of, in_cart, not_due, price_band, shown_enough, source_rules

Pick = tuple[int, Pool, int]
"""A product row, the source it came from, its rank there."""


def fill(desk: Desk, visit: Visit) -> tuple[list[Pick], list[Fallback]]:
    """Choose at most k products, and tell what had to be done beyond the placement's own sources."""
    filling = _Filling(desk, visit)
    filling.run()
    return filling.placed(), filling.fallbacks


class _Filling:
    """What was chosen so far, and what keeps products out."""

    def __init__(self, desk: Desk, visit: Visit) -> None:
        self.desk, self.visit, self.k = desk, visit, visit.ask.k
        self.sold, self.category, self.kin_of, self.level = (
            visit.sold,
            desk.shelf.category,
            desk.shelf.kin,
            desk.shelf.level,
        )
        self.policy = visit.policy
        self.taken = {*visit.products, *visit.exclude}
        self.taken.update(in_cart(desk, visit))
        self.not_due = not_due(desk, visit)
        self.shown = shown_enough(desk, visit)
        self.out = self.taken | self.not_due | self.shown
        self.band = price_band(desk, visit)
        self.wants = filter_of(desk, visit)
        self.per_category = self.policy.max_per_category
        self.categories: dict[int, int] = {}
        self.kin: set[int] = set()
        self.pins: list[tuple[int, Pick]] = []
        self.picks: list[Pick] = []
        self.kept: list[Pick] = []
        self.pools: dict[Source, Pool] = {}
        self.fallbacks: list[Fallback] = []
        if visit.unread:
            self.fallbacks.append(Fallback("published", "what was done lately could not be read"))

    @property
    def open(self) -> int:
        """Places that are empty yet."""
        return self.k - len(self.pins) - len(self.picks) - len(self.kept)

    def run(self) -> None:
        cap = self.policy.caps.member_per_day
        promoting = cap is None or self.visit.doings.shown_total < cap
        if promoting:
            self._pin()
            self._keep()
        self._mix(promoting=promoting)
        if self.open:
            self._go_through([rule.name for rule in self.policy.sources])
        if self.open:
            self._fall_back()
        if self.open:
            self._lift()

    def placed(self) -> list[Pick]:
        """Return the picks where they stand: those kept at the end, and each pin at its place."""
        picks = self.picks + self.kept
        for place, pick in self.pins:
            picks.insert(place, pick)
        return picks

    def _pin(self) -> None:
        """Take for each place the first of its pins that may be shown."""
        if not self.visit.rules.pins:
            return
        day, source = self.desk.day.at(self.visit.now), pinned(self.desk)
        for place, row, when in self.visit.rules.pins:
            held = self.pins and self.pins[-1][0] == place
            if place >= self.k or held or not when.holds(day, self.visit.tags):
                continue
            if self._suits(row) and self._has_room(row):
                self._take(row)
                self.pins.append((place, (row, source, 0)))

    def _keep(self) -> None:
        for rule in self.policy.sources:
            if rule.share is not None:
                self._choose(rule.name, min(int(rule.share * self.k), self.open), self.kept)

    def _mix(self, *, promoting: bool) -> None:
        """Fill places with the mixed sources, by worth or by worth and unlikeness."""
        rules = self.visit.rules
        pools = [self._pool(weighted.rule.name) for weighted in rules.weighted]
        factors = rules.factors(self.desk.day.at(self.visit.now), self.visit.tags) if promoting and rules.boosts else {}
        candidates = mixed(rules, pools, factors)
        if self.policy.mmr is None or self.policy.mmr == 1:
            self._by_worth(candidates)
        else:
            self._by_worth_and_unlikeness(candidates, self.policy.mmr)

    def _by_worth(self, candidates: Iterator[Candidate]) -> None:
        n = self.open
        if n <= 0:
            return
        for _, row, source, rank in candidates:
            if self._suits(row) and self._has_room(row):
                self._take(row)
                self.picks.append((row, source, rank))
                n -= 1
                if not n:
                    return

    def _by_worth_and_unlikeness(self, candidates: Iterator[Candidate], share: float) -> None:
        """Fill each place by `Policy.mmr`; a candidate that cannot win any more ends the search for its place."""
        limit, counts, category, kin, kin_of = self.per_category, self.categories, self.category, self.kin, self.kin_of
        suitable = (one for one in candidates if self._suits(one[1]))
        waiting: list[Candidate] = []
        unit, same = 0.0, 1 - share
        for _ in range(self.open):
            best, best_value, at = -1, 0.0, 0
            while True:
                if at == len(waiting):
                    found = next(suitable, None)
                    if found is None:
                        break
                    unit = unit or share / found[0]
                    waiting.append(found)
                worth, row, _, _ = waiting[at]
                value = unit * worth
                if best >= 0 and value <= best_value:
                    break
                alike = counts.get(category[row], 0)
                if alike:
                    if limit is not None and alike >= limit:
                        del waiting[at]
                        continue
                    value -= same if kin_of[row] in kin else same / 2
                if best < 0 or value > best_value:
                    best, best_value = at, value
                at += 1
            if best < 0:
                return
            _, row, source, rank = waiting.pop(best)
            self._take(row)
            self.picks.append((row, source, rank))

    def _fall_back(self) -> None:
        for source in self.policy.fallback:
            had = self.k - self.open
            self._choose(source, self.open, self.picks)
            if self.k - self.open > had:
                self.fallbacks.append(Fallback(str(source), f"the steps before gave {had} of {self.k} items"))

    def _lift(self) -> None:
        """Lift one limit after the other: some as long as places are empty, the others only when all are."""
        if self.per_category is not None:
            self.per_category = None
            self._lifted("max_per_category")
        if self.open and self.band is not None:
            self.band = None
            self._lifted("price_band")
        if self.open == self.k and self.wants is not None:
            self.wants = None
            self._lifted("filters")
        if self.open == self.k and self.shown:
            self.shown = set()
            self.out = self.taken | self.not_due
            self._lifted("impressions")
        if self.open == self.k and self.not_due:
            self.out = set(self.taken)
            self._lifted("recently_bought")

    def _lifted(self, name: str) -> None:
        """Go through all sources again now that a limit was lifted."""
        had = self.k - self.open
        self._go_through(source_rules(self.visit))
        if self.k - self.open > had:
            self.fallbacks.append(Fallback(name, f"lifted, as it left {had} of {self.k} items"))

    def _go_through(self, sources: Iterable[Source]) -> None:
        for source in sources:
            self._choose(source, self.open, self.picks)

    def _choose(self, name: Source, n: int, into: list[Pick]) -> None:
        """Take up to n products of a source in its own order."""
        if n <= 0:
            return
        source = self._pool(name)
        for rank, row in enumerate(source.rows):
            if self._suits(row) and self._has_room(row):
                self._take(row)
                into.append((row, source, rank))
                n -= 1
                if not n:
                    return

    def _pool(self, name: Source) -> Pool:
        known = self.pools.get(name)
        if known is None:
            known = self.pools[name] = pool(self.desk, self.visit, name) or nothing_of(name)
        return known

    def _suits(self, row: int) -> bool:
        """Tell whether nothing but the category's limit can keep a product out."""
        if row in self.out or not self.sold[row]:
            return False
        if self.band is not None:
            level = self.level[row]
            if level < self.band[0] or level > self.band[1]:
                return False
        return self.wants is None or self.wants(row)

    def _has_room(self, row: int) -> bool:
        limit = self.per_category
        return limit is None or self.categories.get(self.category[row], 0) < limit

    def _take(self, row: int) -> None:
        category, kin = self.category[row], self.kin_of[row]
        self.out.add(row)
        self.categories[category] = self.categories.get(category, 0) + 1
        if kin >= 0:
            self.kin.add(kin)
