"""Several ranked sources made into one list, best first, looking only as far as somebody asks."""

from collections.abc import Iterator, Mapping

from recsys.answers.candidates import Pool
from recsys.answers.rules import Rules

Candidate = tuple[float, int, Pool, int]
"""What a product is worth: the sum of what it is worth to each source, times its boosts; its row; the source to which
it is worth most, and its rank there."""

_Head = tuple[float, int, int, int]
"""Worth, negative so that the best comes first; place of the source; rank there; row."""


def mixed(rules: Rules, pools: list[Pool], factors: Mapping[int, float]) -> Iterator[Candidate]:
    """Give every product of the sources once, what is worth most first; of equals that of the earlier source.

    pools: of `rules.weighted`, in their order; empty where a source has nothing. factors: product row -> boost.

    A product that one source names, and nothing boosts, has its place in the order that weights alone make; only the
    others are worked out one by one.
    """
    lists = [pool.first(rules.policy.depth) for pool in pools]
    special = _special(lists, factors)
    heads = iter(_heads(rules, special, factors))
    head = next(heads, None)
    for worth, source, rank in rules.order(tuple(map(bool, lists))):
        rows = lists[source]
        if rank >= len(rows):
            continue
        row = rows[rank]
        if row in special:
            continue
        while head is not None and head < (-worth, source, rank):
            yield -head[0], head[3], pools[head[1]], head[2]
            head = next(heads, None)
        yield worth, row, pools[source], rank
    while head is not None:
        yield -head[0], head[3], pools[head[1]], head[2]
        head = next(heads, None)


def _special(lists: list[list[int]], factors: Mapping[int, float]) -> dict[int, list[tuple[int, int]]]:
    """Return what several lists name or a boost speaks of: row -> places of the sources and ranks there, in order."""
    if not factors and sum(map(bool, lists)) <= 1:
        return {}
    sets = [set(rows) for rows in lists]
    rows: set[int] = set()
    seen: set[int] = set()
    for one in reversed(sets):
        rows |= seen & one
        if one is not sets[0]:
            seen |= one
        if factors:
            rows |= factors.keys() & one
    special: dict[int, list[tuple[int, int]]] = {row: [] for row in rows}
    for source, one in enumerate(sets):
        ranked = lists[source]
        for row in rows & one:
            special[row].append((source, ranked.index(row)))
    return special


def _heads(rules: Rules, special: dict[int, list[tuple[int, int]]], factors: Mapping[int, float]) -> list[_Head]:
    """Work out what each special product is worth, in their order."""
    heads = []
    for row, places in special.items():
        total, most, first, at = 0.0, 0.0, 0, 0
        for source, rank in places:
            worth = rules.weighted[source].worth[rank]
            total += worth
            if worth > most:
                most, first, at = worth, source, rank
        heads.append((-total * factors[row] if row in factors else -total, first, at, row))
    heads.sort()
    return heads
