"""The best items of each member by a score, with ties that neither ids nor order can break."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys.features.places import Flags, Places
from recsys.features.visits import Codes

CHUNK = 64
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Counts:
    """How many items are taken for a member: of all, and of those that the member never bought."""

    all: int
    new: int

    @property
    def reach(self) -> int:
        """How many never bought items suffice to tell both."""
        return max(self.all, self.new)


def hashes(names: "np.ndarray") -> Hashes:
    """(n,) pseudo-random numbers that come from texts alone."""
    return np.asarray(pd.util.hash_array(names), dtype=np.uint64)


def highest(fresh: "np.ndarray", count: int, *, floor: float) -> Places:
    """Find each row's count highest columns, and all that equal the last of them; only scores above the floor.

    fresh: (b, m) scores; -inf is never found.
    """
    if not fresh.size or not count:
        none = np.empty(0, dtype=np.int64)
        return Places(none, none)
    least = np.maximum(_reach(fresh, count), np.nextafter(fresh.dtype.type(floor), fresh.dtype.type(np.inf)))
    found = Places(*np.divmod(np.flatnonzero(fresh >= least), fresh.shape[1]))
    return found[_near_top(found.rows, fresh[found.rows, found.columns], count, len(fresh))]


def listed(pairs: Places, scores: "np.ndarray", new: Flags, counts: Counts, ties: tuple[Hashes, Hashes]) -> Codes:
    """(k,) numbers of the pairs that a source names: the highest of each row, and the highest new ones.

    pairs: (n,) ordered by row. scores: (n,); -inf is never named. new: (n,) whether the member never bought the item.
    ties: hashes of rows and columns, which order equal scores.
    """
    every = np.flatnonzero(scores > -np.inf)
    fresh = every[new[every]]
    return np.union1d(_first(pairs, scores, every, counts.all, ties), _first(pairs, scores, fresh, counts.new, ties))


def _first(pairs: Places, scores: "np.ndarray", chosen: Codes, count: int, ties: tuple[Hashes, Hashes]) -> Codes:
    """(k,) numbers of the count highest of the chosen pairs of each row."""
    if not count or not len(chosen):
        return chosen[:0]
    top = chosen[_near_top(pairs.rows[chosen], scores[chosen], count, len(ties[0]))]
    near = pairs[top]
    mixed = (ties[0][near.rows] ^ ties[1][near.columns]) * np.uint64(0x9E3779B97F4A7C15)
    order = np.lexsort((mixed, -scores[top], near.rows))
    rows = near.rows[order]
    return top[order[np.arange(len(order)) - np.searchsorted(rows, rows) < count]]


def _near_top(rows: Codes, scores: "np.ndarray", count: int, length: int) -> Flags:
    """(n,) whether a score is no less than the count-th highest of its row; rows: (n,) ascending, below length."""
    starts = np.searchsorted(rows, np.arange(length + 1))
    widest = int(np.diff(starts).max(initial=0))
    if widest <= count:
        return np.ones(len(rows), dtype=bool)
    padded = np.full((length, widest), -np.inf, dtype=scores.dtype)
    padded[rows, np.arange(len(rows)) - starts[rows]] = scores
    return np.asarray(scores >= np.partition(padded, widest - count, axis=1)[rows, widest - count])


def _reach(scores: "np.ndarray", count: int) -> "np.ndarray":
    """(b, 1) a number that at least count scores of a row reach: the count-th highest of the highest of chunks."""
    rows, width = scores.shape
    chunks = -(-width // CHUNK)
    if chunks <= count:
        return np.full((rows, 1), -np.inf)
    whole = width - width % CHUNK
    top = scores[:, :whole].reshape(rows, -1, CHUNK).max(axis=2)
    if whole < width:
        top = np.concatenate([top, scores[:, whole:].max(axis=1, keepdims=True)], axis=1)
    return np.partition(top, chunks - count, axis=1)[:, [chunks - count]]
