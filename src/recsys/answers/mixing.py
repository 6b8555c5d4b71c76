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
    depth = rules.policy.depth
    lists = [pool.first(depth) for pool in pools]
    special = _shared(lists)
    if factors:
        for rows in lists:
            special |= factors.keys() & rows
    heads = iter(_heads(rules, lists, special, factors))
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


def _shared(lists: list[list[int]]) -> set[int]:
    """Return what several lists name."""
    shared: set[int] = set()
    seen: set[int] = set()
    for rows in reversed(lists):
        if seen:
            shared |= seen.intersection(rows)
        if rows and rows is not lists[0]:
            seen.update(rows)
    return shared


def _heads(rules: Rules, lists: list[list[int]], special: set[int], factors: Mapping[int, float]) -> list[_Head]:
    """Work out what each special product is worth, in their order."""
    if not special:
        return []
    places: dict[int, tuple[float, float, int, int]] = {}
    for source, rows in enumerate(lists):
        worth = rules.weighted[source].worth
        for row in special.intersection(rows):
            rank = rows.index(row)
            total, most, first, place = places.get(row, (0.0, 0.0, source, rank))
            if worth[rank] > most:
                most, first, place = worth[rank], source, rank
            places[row] = (total + worth[rank], most, first, place)
    heads = [(-total * factors.get(row, 1.0), first, place, row) for row, (total, _, first, place) in places.items()]
    heads.sort()
    return heads
