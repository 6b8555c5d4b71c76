"""Metrics of ranked lists, written once for weighted members: all weights 1 gives the plain metric."""

from dataclasses import dataclass

import numpy as np

from recsys.evaluation.curves import Statistic, ratio
from recsys.evaluation.judged import Flags, Floats, Judged, Ranked

PARTS = ("all", "repeat", "explore")


@dataclass(frozen=True)
class Aim:
    """What a member's list should hold, and which list it is.

    label: "y" = the member's next basket, "soon" = what the member bought on any day of the horizon.
    part: "repeat" counts only items that the member had bought before, "explore" only the others; the list is the whole
        list in each case. The split follows Li et al., A Next Basket Recommendation Reality Check, TOIS 2023.
    apart: the list holds only items that the member never bought, ranked by `discovery`; its part is "explore".
    """

    label: str = "y"
    part: str = "all"
    apart: bool = False


NEXT_BASKET = Aim()
DISCOVERY = Aim("soon", "explore", apart=True)


def recall(judged: Judged, k: int, aim: Aim = NEXT_BASKET) -> Statistic:
    """Mean over members of the share of what they bought that stands among their first k items.

    What they bought counts the items that were never offered; members who bought nothing (of the part) are left out.
    """
    wanted, bought = _wanted(judged, aim), _bought(judged, aim)
    return _member_mean(judged, ratio(_taken(_list(judged, aim), judged, k, wanted), bought), bought)


def hit(judged: Judged, k: int, aim: Aim = NEXT_BASKET) -> Statistic:
    """Share of members who bought (of the part) with at least one such item among their first k."""
    wanted, bought = _wanted(judged, aim), _bought(judged, aim)
    return _member_mean(judged, (_taken(_list(judged, aim), judged, k, wanted) > 0).astype(np.float64), bought)


def ndcg(judged: Judged, k: int, aim: Aim = NEXT_BASKET) -> Statistic:
    """Mean over members of the discounted gain of their first k items over that of the best possible list.

    Gain 1 for an item bought (of the part), discount log2(place + 1) with places from 1; the best list has
    min(k, all items bought) of them on top. Jaervelin, Kekaelaeinen, TOIS 20, 2002.
    """
    wanted, bought = _wanted(judged, aim), _bought(judged, aim)
    best = _gains(k)[np.minimum(bought, k).astype(np.int64)]
    gain = _taken(_list(judged, aim), judged, k, wanted, discount=True)
    return _member_mean(judged, ratio(gain, best), bought)


def repeat_share(judged: Judged, k: int) -> Statistic:
    """Share of the items in all members' first k that their member had bought before."""
    if judged.ground.repeat is None:
        return _unknown
    repeats = _taken(judged.lists, judged, k, judged.ground.repeat)
    places = _taken(judged.lists, judged, k, np.ones(len(judged.ground), dtype=np.bool_))
    return lambda weights: ratio(weights @ repeats, weights @ places)


def catalogue_coverage(judged: Judged, k: int) -> Statistic:
    """Share of the items offered to anybody that stand among somebody's first k; members of weight 0 are nobody."""
    ranked = judged.lists
    item = judged.ground.item
    if item is None or not len(judged.ground):
        return _unknown
    top = ranked.place < k
    member, shown = ranked.owner[top], item[ranked.order][top]
    offered = int(item.max()) + 1

    def statistic(weights: Floats) -> Floats:
        distinct = [len(np.unique(shown[row[member] > 0])) for row in weights]
        return np.asarray(distinct, dtype=np.float64) / offered

    return statistic


def product_ndcg(judged: Judged) -> Statistic:
    """Mean over products with a buyer of the normalised discounted gain of the ranking of its members, whole length.

    Gain 1 for a buyer. A member of weight w stands w times in a row, so weights must be whole numbers.
    """
    if judged.ground.item is None or not len(judged.ground):
        return _unknown
    ranked = judged.ranked(judged.ground.item)
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


def _list(judged: Judged, aim: Aim) -> Ranked:
    return judged.discoveries if aim.apart else judged.lists


def _part(judged: Judged, part: str) -> Flags | None:
    """(n,) rows of a part; None when it cannot be told."""
    repeat = judged.ground.repeat
    if part == "all":
        return np.ones(len(judged.ground), dtype=np.bool_)
    return repeat if part == "repeat" or repeat is None else ~repeat


def _wanted(judged: Judged, aim: Aim) -> Flags:
    rows = _part(judged, aim.part)
    happened = judged.ground.rows[aim.label].to_numpy(np.float64) > 0
    return np.zeros(len(judged.ground), dtype=np.bool_) if rows is None else rows & happened


def _bought(judged: Judged, aim: Aim) -> Floats:
    """(members,) items bought, of a part, among the rows or not; 0 when the part cannot be told."""
    ground = judged.ground
    if _part(judged, aim.part) is None:
        return np.zeros(ground.members)
    inside = np.bincount(ground.member[_wanted(judged, aim)], minlength=ground.members)
    missed = ground.missed
    every, repeat = {"y": (missed.next, missed.next_repeat), "soon": (missed.soon, missed.soon_repeat)}[aim.label]
    return inside + {"all": every, "repeat": repeat, "explore": every - repeat}[aim.part]


def _taken(ranked: Ranked, judged: Judged, k: int, wanted: Flags, *, discount: bool = False) -> Floats:
    """(members,) wanted rows among the first k, counted or discounted by place."""
    found = wanted[ranked.order] & (ranked.place < k)
    worth = 1 / np.log2(ranked.place[found] + 2) if discount else None
    return np.bincount(ranked.owner[found], weights=worth, minlength=judged.ground.members).astype(np.float64)


def _member_mean(judged: Judged, values: Floats, bought: Floats) -> Statistic:
    """Weighted mean of (members,) values over those who bought."""
    judges = bought > 0
    total, count = np.where(judges, values, 0.0), judges.astype(np.float64)
    return lambda weights: ratio(weights @ total, weights @ count)
