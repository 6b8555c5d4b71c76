"""Next-basket methods told from their papers, one basket and one item at a time."""

import math
from collections.abc import Iterable, Mapping, Sequence

Baskets = Sequence[set[str]]
Vector = dict[str, float]


def frequency_vector(baskets: Baskets, group: int, within: float, between: float) -> Vector:
    """TIFU-KNN, section 4.1: baskets, oldest first, in groups of so many; the oldest group may be smaller.

    v_g = 1/k sum over the k baskets of within**(k - t) b_t; v_u = 1/m sum over the m groups of between**(m - g) v_g.
    """
    groups: list[Baskets] = []
    rest = list(baskets)
    while rest:
        groups.insert(0, rest[-group:])
        rest = rest[:-group]
    vector: Vector = {}
    for g, members in enumerate(groups, 1):
        for t, basket in enumerate(members, 1):
            for item in basket:
                weight = within ** (len(members) - t) / len(members) * between ** (len(groups) - g) / len(groups)
                vector[item] = vector.get(item, 0.0) + weight
    return vector


def nearest(own: Vector, others: Mapping[str, Vector], count: int) -> list[str]:
    """The members whose vectors lie nearest by Euclid."""

    def distance(other: Vector) -> float:
        return math.sqrt(sum((own.get(item, 0) - other.get(item, 0)) ** 2 for item in own.keys() | other.keys()))

    return sorted(others, key=lambda member: distance(others[member]))[:count]


def mean_vector(vectors: Iterable[Vector]) -> Vector:
    """The mean of some vectors."""
    every = list(vectors)
    items = {item for vector in every for item in vector}
    return {item: sum(vector.get(item, 0) for vector in every) / len(every) for item in items}


def recent_popularity(baskets: Baskets, visits: int) -> Vector:
    """UP-CF@r: share of a member's latest baskets that hold an item."""
    latest = baskets[-visits:]
    items = {item for basket in latest for item in basket}
    return {item: sum(item in basket for basket in latest) / len(latest) for item in items}


def asymmetric_cosine(own: set[str], other: set[str], asymmetry: float) -> float:
    """|u and v| / (|u|**a * |v|**(1 - a))."""
    common = len(own & other)
    return common / (len(own) ** asymmetry * len(other) ** (1 - asymmetry)) if common else 0.0


def user_popularity(own: Baskets, others: Iterable[Baskets], visits: int, asymmetry: float, locality: float) -> Vector:
    """UP-CF@r: popularity among members alike, the member's own with similarity 1, over the sum of the weights."""
    total, weights = dict(recent_popularity(own, visits)), 1.0
    mine = set().union(*own)
    for baskets in others:
        weight = asymmetric_cosine(mine, set().union(*baskets), asymmetry) ** locality
        weights += weight
        for item, share in recent_popularity(baskets, visits).items():
            total[item] = total.get(item, 0) + weight * share
    return {item: value / weights for item, value in total.items()}


def shrunk_cosine(buyers: Mapping[str, set[str]], shrink: float) -> dict[str, Vector]:
    """Item -> every other item with common buyers -> |a and b| / sqrt((|a| + shrink) (|b| + shrink))."""
    found: dict[str, Vector] = {}
    for a, mine in buyers.items():
        for b, theirs in buyers.items():
            if a != b and mine & theirs:
                norm = math.sqrt((len(mine) + shrink) * (len(theirs) + shrink))
                found.setdefault(a, {})[b] = len(mine & theirs) / norm
    return found


def bm25(days: Mapping[str, Mapping[str, int]], k1: float, b: float) -> dict[str, Vector]:
    """Item -> every other item -> product of their BM25 weights; an item is a document, its buyers are the terms.

    days: item -> member -> purchase days.
    """
    held: dict[str, int] = {}
    for counts in days.values():
        for member in counts:
            held[member] = held.get(member, 0) + 1
    mean = sum(sum(counts.values()) for counts in days.values()) / len(days)
    weights: dict[str, Vector] = {}
    for item, counts in days.items():
        length = (1 - b) + b * sum(counts.values()) / mean
        weights[item] = {
            member: count * (k1 + 1) / (k1 * length + count) * (math.log(len(days)) - math.log1p(held[member]))
            for member, count in counts.items()
        }
    found: dict[str, Vector] = {}
    for one, mine in weights.items():
        for other, theirs in weights.items():
            value = sum(mine[member] * theirs[member] for member in mine.keys() & theirs.keys())
            if one != other and value > 0:
                found.setdefault(one, {})[other] = value
    return found
