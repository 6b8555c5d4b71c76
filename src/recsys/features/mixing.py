"""Mixes of what other members have of each item, made only where they can matter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.places import Places, places_in
from recsys.features.ranking import highest
from recsys.features.visits import Codes

Block = np.ndarray[Any, np.dtype[np.float32]]

FIRST_LOOK = 4096
"""Items that are mixed for every member."""

SLACK = 1.001
"""What a bound of a sum is raised by, as single precision rounds."""


@dataclass(frozen=True)
class Parts:
    """What each of p members has of each of m items, never below 0; a mix is a weighted sum of it over the members.

    values: (m, p) in single precision, as lists need no more.
    order: (m,) places of the items, those with the highest sums over the members first. sums: (m,) in that order.
    ordered: (m, p) the values in that order. rank: (m,) the place of each item in that order.
    """

    values: csr_matrix
    order: Codes
    sums: "np.ndarray"
    ordered: csr_matrix
    rank: Codes


def parts_of(values: csr_matrix) -> Parts:
    """Prepare (m, p) values to be mixed."""
    single = values.astype(np.float32)
    sums = np.asarray(values.sum(axis=1), dtype=np.float64).ravel()
    order = np.argsort(-sums, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Parts(single, order, sums[order], single[order], rank)


def turned(weights: "np.ndarray") -> Block:
    """(p, n) weights of mixes, in single precision, of (n, p) ones."""
    return np.ascontiguousarray(weights.T, dtype=np.float32)


@dataclass(frozen=True)
class Mix:
    """Mixes for b members, by (p, b) weights that are never below 0.

    items: (u,) ascending places of the items that are mixed. mixed: (u, b).
    """

    parts: Parts
    weights: Block
    items: Codes
    mixed: Block

    @classmethod
    def of(cls, parts: Parts, weights: Block, items: Codes) -> Self:
        """Mix the first look at items and these ones."""
        flags = np.zeros(len(parts.order), dtype=bool)
        flags[items] = flags[parts.order[:FIRST_LOOK]] = True
        wanted = np.flatnonzero(flags)
        return cls(parts, weights, wanted, parts.values[wanted] @ weights)

    def cells(self, places: Places) -> Block:
        """(n,) mixes at places among all items; 0 outside."""
        values = np.zeros(len(places.rows), dtype=np.float32)
        number = places_in(self.items, places.columns)
        there = number >= 0
        values[there] = self.mixed[number[there], places.rows[there]]
        other = (places.columns >= 0) & ~there
        more, number = np.unique(places.columns[other], return_inverse=True)
        values[other] = (self.parts.values[more] @ self.weights)[number, places.rows[other]]
        return values

    def highest(self, had: Places, count: int) -> Iterator[Places]:
        """Find each member's count highest items, above 0, that the member never had, and all that equal the last.

        No mix of an item exceeds its sum times the member's highest weight. So items are looked at by falling sums:
        where the count-th highest mix so far is no more than what may follow, at four times as many.
        """
        rows, width = np.arange(self.weights.shape[1] if count else 0), FIRST_LOOK
        most = self.weights.max(axis=0, initial=0).astype(np.float64) * SLACK
        ranked = Places(had.rows, self.parts.rank[had.columns])
        while len(rows):
            fresh = self._looked_at(width, rows)
            seen = ranked[(ranked.columns < width) & np.isin(ranked.rows, rows)]
            fresh[np.searchsorted(rows, seen.rows), seen.columns] = -np.inf
            found = highest(fresh, count, floor=0)
            left = most[rows] * self.parts.sums[width] if width < len(self.parts.sums) else np.zeros(len(rows))
            above = found.rows[fresh[found.rows, found.columns] > left[found.rows]]
            settled = (np.bincount(above, minlength=len(rows)) >= count) | (left <= 0)
            told = found[settled[found.rows]]
            yield Places(rows[told.rows], self.parts.order[told.columns])
            rows, width = rows[~settled], 4 * width

    def _looked_at(self, width: int, rows: Codes) -> Block:
        """(r, width) mixes of the items with the highest sums."""
        if width == FIRST_LOOK:
            mixed = self.mixed[places_in(self.items, self.parts.order[:width])]
        else:
            mixed = self.parts.ordered[:width] @ self.weights[:, rows]
        return np.ascontiguousarray(mixed.T)
