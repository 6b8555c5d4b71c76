"""Predictions as one number a member: what rules ask for, what orders an audience and what is expected of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.answers.audience.rule import Score
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_columns import Ragged
from recsys.core.errors import RequestError


@dataclass(frozen=True, eq=False)
class Scored:
    """One score of all members.

    name: of the column that it is. values: (members,) float64, NaN = has none.
    is_probability: calibrated, so a sum of them is a number of members to expect.
    adds: whether a sum means something. days: so many days ahead; None = not a matter of days.
    task: the model it comes from. scored: how many members have it, where only the highest of theirs are known: those
    from `floor` on; None = all are known.
    """

    name: str
    values: "np.ndarray"
    task: str
    is_probability: bool = True
    adds: bool = True
    days: int | None = None
    scored: int | None = None
    floor: float = 0.0


def scored(publication: Publication, score: Score, at: str = "score") -> Scored:
    """Look a score up; `UnknownError` names the node when its category or product is not there."""
    return _OF[score.task](publication, score, at)


class Scores:
    """The scores of a publication that a rule and what orders it ask for, each worked out once."""

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.known: dict[Score, Scored] = {}

    def of(self, score: Score, at: str) -> Scored:
        """Look a score up, whatever its bounds; errors as of `scored`."""
        bare = score.bare()
        if bare not in self.known:
            self.known[bare] = scored(self.publication, score, at)
        return self.known[bare]


def chosen(score: Score, of: Scored, at: str) -> "np.ndarray":
    """(members,) whom a score's bounds take; of equal scores at the edge of a top share, the first rows.

    `RequestError` names the bound, of the node `at`, that asks for members whose scores are not known.
    """
    values = of.values
    if of.scored is not None:
        _hold_to_what_is_known(score, of, at)
    if score.top_share is not None:
        return _top(values, score.top_share, of.scored)
    taken = np.isfinite(values)
    if score.low is not None:
        taken &= values >= score.low
    if score.high is not None:
        taken &= values < score.high
    return np.asarray(taken)


def _hold_to_what_is_known(score: Score, of: Scored, at: str) -> None:
    known = np.count_nonzero(np.isfinite(of.values) & (of.values >= of.floor))
    share = known / of.scored if of.scored else 1.0
    told = f"only of the top {share:.4g} by this score, from {of.floor:.4g} on, are the members known"
    if score.top_share is not None and score.top_share > share:
        raise RequestError(f"{at}.top_share", told)
    if score.top_share is None and (score.low is None or score.low < of.floor):
        raise RequestError(f"{at}.min", told)


def _top(values: "np.ndarray", share: float, scored: int | None) -> "np.ndarray":
    """Take the share of those scored, rounded to whole members, at least one; scored: None = all that are known."""
    known = np.flatnonzero(np.isfinite(values))
    taken = np.zeros(len(values), dtype=np.bool_)
    if not len(known):
        return taken
    wanted = min(len(known), max(1, round(share * (len(known) if scored is None else scored))))
    own = values[known]
    edge = np.partition(own, len(own) - wanted)[len(own) - wanted]
    above = own > edge
    equal = np.flatnonzero(own == edge)[: wanted - int(above.sum())]
    taken[known[above]] = True
    taken[known[equal]] = True
    return taken


def _churn(publication: Publication, _: Score, __: str) -> Scored:
    return Scored("score", publication.churn, "churn", days=publication.horizons.get("churn"))


def _active(publication: Publication, _: Score, __: str) -> Scored:
    return Scored("active", 1 - publication.churn, "churn", days=publication.horizons.get("churn"))


def _value(publication: Publication, _: Score, __: str) -> Scored:
    days = publication.horizons.get("value")
    return Scored("score", publication.value["score"], "value", is_probability=False, days=days)


def _repurchase(publication: Publication, score: Score, at: str) -> Scored:
    pairs, name = publication.repurchase, f"p{score.within or 14}"
    if name not in pairs.columns:
        raise RequestError(f"{at}.within", "is none of 7, 14, 28")
    taken = lasting(publication)
    if score.categories:
        taken &= categories_mask(publication, score.categories, f"{at}.category")[pairs.other]
    return Scored(name, _best(pairs, pairs.columns[name], taken), "repurchase", days=score.within or 14)


def _new_product(publication: Publication, score: Score, at: str) -> Scored:
    pairs, row = publication.new_product, _product(publication, score, at)
    values = _best(pairs, pairs.columns["score"], pairs.other == row)
    scored, floor = (float(publication.product_numbers[name][row]) for name in ("launch_scored", "launch_floor"))
    days = publication.horizons.get("new_product")
    if not scored > np.count_nonzero(np.isfinite(values)):
        return Scored("score", values, "new_product", days=days)
    return Scored("score", values, "new_product", days=days, scored=int(scored), floor=float(np.float32(floor)))


def _discovery(publication: Publication, score: Score, at: str) -> Scored:
    """Of several products the best: at least that likely is a first purchase of one of them."""
    pairs = publication.discovery
    taken = np.ones(len(pairs.other), dtype=np.bool_)
    if score.categories:
        wanted = categories_mask(publication, score.categories, f"{at}.category")
        taken &= wanted[publication.product_category][pairs.other]
    if score.product_id is not None:
        taken &= pairs.other == _product(publication, score, at)
    days = publication.horizons.get("recommend")
    return Scored("score", _best(pairs, pairs.columns["score"], taken), "recommend", days=days)


def _recommend(publication: Publication, score: Score, at: str) -> Scored:
    pairs = publication.recommend
    values = _best(pairs, pairs.columns["score"], pairs.other == _product(publication, score, at))
    return Scored("score", values, "recommend", is_probability=False, adds=False)


_OF: Mapping[str, Callable[[Publication, Score, str], Scored]] = {
    "churn": _churn,
    "active": _active,
    "value": _value,
    "repurchase": _repurchase,
    "new_product": _new_product,
    "discovery": _discovery,
    "recommend": _recommend,
}


def lasting(publication: Publication) -> "np.ndarray":
    """(pairs of repurchase,) whether the need has not ended; an unknown end is none."""
    return np.asarray(~(publication.repurchase.columns["need_ends_day"] <= publication.as_of.number))


def categories_mask(publication: Publication, names: tuple[str, ...], at: str) -> "np.ndarray":
    """(categories,) which are named; `UnknownError` names the first that is not there."""
    mask = np.zeros(len(publication.categories), dtype=np.bool_)
    for place, name in enumerate(names):
        row = publication.category_row(name)
        if row is None:
            raise UnknownError(f"{at}.{place}", f"{name!r} is no known category")
        mask[row] = True
    return mask


def _product(publication: Publication, score: Score, at: str) -> int:
    row = None if score.product_id is None else publication.products.row(score.product_id)
    if row is None:
        raise UnknownError(f"{at}.product_id", f"{score.product_id!r} is no known product")
    return row


def _best(pairs: Ragged, values: "np.ndarray", taken: "np.ndarray") -> "np.ndarray":
    """Return (groups,) the highest value of each group's pairs that are taken, NaN where none is."""
    best = np.full(len(pairs.start) - 1, np.nan)
    groups = np.flatnonzero(pairs.start[1:] > pairs.start[:-1])
    if len(groups):
        highest = np.maximum.reduceat(np.where(taken, values, -np.inf), pairs.start[groups])
        best[groups] = np.where(np.isneginf(highest), np.nan, highest)
    return best
