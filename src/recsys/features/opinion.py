"""Scores of sources that are cheap to have for all the items they look at."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.collaborative import Collaborative, Tastes
from recsys.features.places import Places, dense_cells, held, places_in
from recsys.features.ranking import Counts, highest
from recsys.features.sources import Source
from recsys.features.visits import Codes


@dataclass(frozen=True)
class Opinion:
    """What a source thinks of some items for b members.

    scores: (b, c), 0 or -inf where it has nothing to say. columns: (c,) ascending places of the items among all.
    unknown: what it thinks of all other items: a pair that scores no more is never named.
    """

    source: Source
    scores: "np.ndarray"
    columns: Codes
    unknown: float

    def highest(self, own: csr_matrix, count: int) -> Places:
        """Find each member's count highest items that `own`, (b, m) over all items, does not hold."""
        fresh, had = self.scores.copy(), held(own[:, self.columns])
        fresh[had.rows, had.columns] = -np.inf
        found = highest(fresh, count, floor=self.unknown)
        return Places(found.rows, self.columns[found.columns])

    def cells(self, places: Places) -> "np.ndarray":
        """(n,) scores at places among all items."""
        return dense_cells(self.scores, Places(places.rows, places_in(self.columns, places.columns)), self.unknown)


def factorised(learnt: Collaborative, tastes: Tastes, als: "np.ndarray", columns: Codes) -> Iterator[Opinion]:
    """Score the factorised items, whose places among all are the columns, for the members of tastes.

    als: (b, m) products of factors, -inf where the member has none.
    """
    known = np.flatnonzero(np.diff(tastes.days.indptr))
    near, alike = np.zeros(als.shape), np.zeros(als.shape)
    if len(known):
        weights, days = tastes.weights[known], tastes.days[known]
        near[known] = (weights @ learnt.similar).toarray() / np.asarray(weights.sum(axis=1))
        alike[known] = (days @ learnt.alike).toarray() / np.asarray(days.sum(axis=1))
    yield Opinion(Source.NEIGHBOUR, near, columns, 0.0)
    yield Opinion(Source.BM25, alike, columns, 0.0)
    yield Opinion(Source.ALS, als, columns, -np.inf)


def factor_products(learnt: Collaborative, members: Codes) -> "np.ndarray":
    """(b, m) products of the factors of members and items, -inf where the member has none."""
    rows = np.flatnonzero(np.isin(members, learnt.member_codes))
    products = np.full((len(members), len(learnt.item_codes)), -np.inf)
    if len(rows):
        places = np.searchsorted(learnt.member_codes, members[rows])
        products[rows] = learnt.member_factors[places] @ learnt.item_factors.T
    return products


def popular(times: Codes, order: Codes, own: csr_matrix, counts: Counts) -> Opinion:
    """Score the items bought most lately, so many that every member is left enough never bought.

    times: (m,) how often each item was bought; order: (m,) places of the items, those bought most first. own: (b, m).
    """
    often = np.sort(order[: counts.reach + int(np.diff(own.indptr).max(initial=0))])
    scores = np.broadcast_to(times[often].astype(np.float32), (own.shape[0], len(often)))
    return Opinion(Source.POPULAR, scores, often, 0.0)
