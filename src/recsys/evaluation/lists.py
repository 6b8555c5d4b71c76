"""Metrics of ranked lists, written once for weighted members: all weights 1 gives the plain metric."""

import numpy as np

from recsys.evaluation.curves import Statistic, ratio
from recsys.evaluation.judged import Flags, Floats, Judged

PARTS = ("all", "repeat", "explore")


def recall(judged: Judged, k: int, part: str = "all") -> Statistic:
    """Mean over members of the share of what they bought that stands among their first k products.

    What they bought counts the products that were never offered; members who bought nothing (of the part) are left
    out. part: "repeat" counts only products that the member had bought before, "explore" only the others; the list is
    the whole list in each case. The split follows Li et al., A Next Basket Recommendation Reality Check, TOIS 2023.
    """
    wanted, bought = _wanted(judged, part), _bought(judged, part)
    return _member_mean(judged, ratio(_taken(judged, k, wanted), bought), bought)


def hit(judged: Judged, k: int, part: str = "all") -> Statistic:
    """Share of members who bought (of the part) with at least one such product among their first k."""
    wanted, bought = _wanted(judged, part), _bought(judged, part)
    return _member_mean(judged, (_taken(judged, k, wanted) > 0).astype(np.float64), bought)


def ndcg(judged: Judged, k: int, part: str = "all") -> Statistic:
    """Mean over members of the discounted gain of their first k products over that of the best possible list.

    Gain 1 for a product bought (of the part), discount log2(place + 1) with places from 1; the best list has
    min(k, all products bought) of them on top. Jaervelin, Kekaelaeinen, TOIS 20, 2002.
    """
    wanted, bought = _wanted(judged, part), _bought(judged, part)
    best = _gains(k)[np.minimum(bought, k).astype(np.int64)]
    gain = _taken(judged, k, wanted, discount=True)
    return _member_mean(judged, ratio(gain, best), bought)


def repeat_share(judged: Judged, k: int) -> Statistic:
    """Share of the products in all members' first k that their member had bought before."""
    if judged.ground.repeat is None:
        return _unknown
    repeats = _taken(judged, k, judged.ground.repeat)
    places = _taken(judged, k, np.ones(len(judged.ground), dtype=np.bool_))
    return lambda weights: ratio(weights @ repeats, weights @ places)


def catalogue_coverage(judged: Judged, k: int) -> Statistic:
    """Share of the products offered to anybody that stand among somebody's first k; members of weight 0 are nobody."""
    ranked = judged.lists
    product = judged.ground.product
    if product is None or not len(judged.ground):
        return _unknown
    top = ranked.place < k
    member, shown = ranked.owner[top], product[ranked.order][top]
    offered = int(product.max()) + 1

    def statistic(weights: Floats) -> Floats:
        distinct = [len(np.unique(shown[row[member] > 0])) for row in weights]
        return np.asarray(distinct, dtype=np.float64) / offered

    return statistic


def product_ndcg(judged: Judged) -> Statistic:
    """Mean over products with a buyer of the normalised discounted gain of the ranking of its members, whole length.

    Gain 1 for a buyer. A member of weight w stands w times in a row, so weights must be whole numbers.
    """
    if judged.ground.product is None or not len(judged.ground):
        return _unknown
    ranked = judged.ranked(judged.ground.product)
    member = judged.ground.member[ranked.order]
    bought = judged.ground.outcome(None)[ranked.order]
    starts = np.flatnonzero(ranked.place == 0)

    def statistic(weights: Floats) -> Floats:
        out = np.empty(len(weights))
        gains = _gains(int(weights.max(initial=0)) * len(member))
        for number, row in enumerate(weights):
            weight = row[member]
            total = np.cumsum(weight)
            before = np.concatenate([[0.0], total[:-1]])
            base = np.repeat(before[starts], np.diff(np.append(starts, len(member))))
            last, first = (total - base).astype(np.int64), (before - base).astype(np.int64)
            gain = np.add.reduceat(bought * (gains[last] - gains[first]), starts)
            buyers = np.add.reduceat(bought * weight, starts).astype(np.int64)
            value = ratio(gain, gains[buyers])
            out[number] = value[buyers > 0].mean() if (buyers > 0).any() else np.nan
        return out

    return statistic


def _unknown(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)


def _gains(length: int) -> Floats:
    """(length + 1,) what the first 0, 1, 2 ... places are worth together."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, length + 2)))])


def _part(judged: Judged, part: str) -> Flags | None:
    """(n,) rows of a part; None when it cannot be told."""
    repeat = judged.ground.repeat
    if part == "all":
        return np.ones(len(judged.ground), dtype=np.bool_)
    return repeat if part == "repeat" or repeat is None else ~repeat


def _wanted(judged: Judged, part: str) -> Flags:
    rows = _part(judged, part)
    return np.zeros(len(judged.ground), dtype=np.bool_) if rows is None else rows & (judged.ground.outcome(None) > 0)


def _bought(judged: Judged, part: str) -> Floats:
    """(members,) products bought in the horizon, of a part, among the rows or not; 0 when the part cannot be told."""
    if _part(judged, part) is None:
        return np.zeros(judged.ground.members)
    wanted = _wanted(judged, part)
    inside = np.bincount(judged.ground.member[wanted], minlength=judged.ground.members)
    outside = {
        "all": judged.ground.missed,
        "repeat": judged.ground.missed_repeat,
        "explore": judged.ground.missed - judged.ground.missed_repeat,
    }[part]
    return inside + outside


def _taken(judged: Judged, k: int, wanted: Flags, *, discount: bool = False) -> Floats:
    """(members,) wanted rows among the first k, counted or discounted by place."""
    ranked = judged.lists
    found = wanted[ranked.order] & (ranked.place < k)
    worth = 1 / np.log2(ranked.place[found] + 2) if discount else None
    return np.bincount(ranked.owner[found], weights=worth, minlength=judged.ground.members).astype(np.float64)


def _member_mean(judged: Judged, values: Floats, bought: Floats) -> Statistic:
    """Weighted mean of (members,) values over those who bought."""
    judges = bought > 0
    total, count = np.where(judges, values, 0.0), judges.astype(np.float64)
    return lambda weights: ratio(weights @ total, weights @ count)
