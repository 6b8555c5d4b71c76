"""Scores of sources that are cheap to have for all the items they look at."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.collaborative import Collaborative
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


def factorised(learnt: Collaborative, members: Codes, columns: Codes) -> Iterator[Opinion]:
    """Score the factorised items, whose places among all are the columns, for members."""
    known = np.isin(members, learnt.member_codes)
    rows = np.flatnonzero(known)
    places = np.searchsorted(learnt.member_codes, members[rows])
    shape = (len(members), len(learnt.item_codes))
    near, alike, als = np.zeros(shape), np.zeros(shape), np.full(shape, -np.inf)
    if len(rows) and shape[1]:
        weights, days = learnt.weights[places], learnt.days[places]
        near[rows] = (weights @ learnt.similar).toarray() / np.asarray(weights.sum(axis=1))
        alike[rows] = (days @ learnt.alike).toarray() / np.asarray(days.sum(axis=1))
        als[rows] = learnt.member_factors[places] @ learnt.item_factors.T
    yield Opinion(Source.NEIGHBOUR, near, columns, 0.0)
    yield Opinion(Source.BM25, alike, columns, 0.0)
    yield Opinion(Source.ALS, als, columns, -np.inf)


def popular(times: Codes, order: Codes, own: csr_matrix, counts: Counts) -> Opinion:
    """Score the items bought most lately, so many that every member is left enough never bought.

    times: (m,) how often each item was bought; order: (m,) places of the items, those bought most first. own: (b, m).
    """
    often = np.sort(order[: counts.reach + int(np.diff(own.indptr).max(initial=0))])
    scores = np.broadcast_to(times[often].astype(np.float32), (own.shape[0], len(often)))
    return Opinion(Source.POPULAR, scores, often, 0.0)
