"""Each member's likeliest next purchase, and the products to show: gathered for many members at once."""

from dataclasses import dataclass

import numpy as np

from recsys.answers.audience.scores import lasting
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_columns import Ragged

SHOWN = 3
"""So many products are recommended to a member of an audience."""

HEAD = 12
"""So many of a list's products are looked at before the whole list is."""

AT_ONCE = 65_536
"""Members whose lists are looked through at once."""


@dataclass(frozen=True, eq=False)
class Needs:
    """The likeliest next purchase of each of (n,) members.

    category: rows, -1 = none known. chance: of buying there within the days asked for, NaN = unknown.
    days: median days from as_of on, NaN = unknown.
    """

    category: "np.ndarray"
    chance: "np.ndarray"
    days: "np.ndarray"


def next_needs(publication: Publication, rows: "np.ndarray", wanted: "np.ndarray | None", *, within: int) -> Needs:
    """Find each member's likeliest purchase; needs that ended are none.

    rows: (n,) members. wanted: (categories,) in which; None = in all. within: 7, 14 or 28.
    """
    pairs = publication.repurchase
    at, owner = gathered(pairs, rows)
    taken = lasting(publication)[at]
    if wanted is not None:
        taken &= wanted[pairs.other[at]]
    at, owner = at[taken], owner[taken]
    category = np.full(len(rows), -1, dtype=np.int32)
    chance, days = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if len(at):
        chances = pairs.columns[f"p{within}"][at]
        first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
        best = np.maximum.reduceat(chances, first)
        top = np.flatnonzero(chances == np.repeat(best, np.diff([*first.tolist(), len(at)])))
        top = top[np.concatenate([[True], owner[top[1:]] != owner[top[:-1]]])]
        who, where = owner[top], at[top]
        category[who] = pairs.other[where]
        chance[who] = best
        days[who] = pairs.columns["median_days"][where]
    return Needs(category, chance, days)


def shown(
    publication: Publication, lists: Ragged, rows: "np.ndarray", allowed: "np.ndarray", category: "np.ndarray | None"
) -> "np.ndarray":
    """(n, SHOWN) product rows to show each member, -1 = none: the best of the member's list, then what is popular.

    lists: by member. rows: (n,) members. allowed: (products,) which may be shown. category: (n,) the category that a
    member's products must be of, -1 = any; None = any for all.
    """
    found = np.full((len(rows), SHOWN), -1, dtype=np.int32)
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        own = None if category is None else category[part]
        found[part] = _from_lists(publication, lists, rows[part], allowed, own, most=HEAD)
        short = np.flatnonzero(found[part][:, -1] < 0)
        found[start + short] = _from_lists(
            publication, lists, rows[part][short], allowed, None if own is None else own[short]
        )
        _fill(publication, found[part], allowed, own)
    return found


def gathered(pairs: Ragged, rows: "np.ndarray", most: int | None = None) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the positions of the rows' pairs, in the order of rows, and for each the place of its row in `rows`.

    most: so many of each row's first pairs; None = all.
    """
    starts = pairs.start[rows]
    lengths = pairs.start[rows + 1] - starts
    if most is not None:
        lengths = np.minimum(lengths, most)
    owner = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owner)) + np.repeat(starts - before, lengths), owner


def _from_lists(
    publication: Publication,
    lists: Ragged,
    rows: "np.ndarray",
    allowed: "np.ndarray",
    category: "np.ndarray | None",
    *,
    most: int | None = None,
) -> "np.ndarray":
    at, owner = gathered(lists, rows, most)
    products = lists.other[at]
    fits = allowed[products]
    if category is not None:
        wanted = category[owner]
        fits &= (wanted < 0) | (publication.product_category[products] == wanted)
    products, owner = products[fits], owner[fits]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    kept = place < SHOWN
    found = np.full((len(rows), SHOWN), -1, dtype=np.int32)
    found[owner[kept], place[kept]] = products[kept]
    return found


def _fill(publication: Publication, found: "np.ndarray", allowed: "np.ndarray", category: "np.ndarray | None") -> None:
    """Put popular products that a member does not have yet where places are left."""
    wanted = np.full(len(found), -1) if category is None else category
    short = np.flatnonzero(found[:, -1] < 0)
    for one in np.unique(wanted[short]).tolist():
        popular = publication.popular
        if one >= 0:
            popular = publication.popular_in.other[publication.popular_in.span(one)]
        who = short[wanted[short] == one]
        for product in popular[allowed[popular]][: 2 * SHOWN].tolist():
            own = found[who]
            open_ = (own[:, -1] < 0) & (own != product).all(axis=1)
            place = (own >= 0).sum(axis=1)
            found[who[open_], place[open_]] = product
