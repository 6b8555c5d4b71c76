"""The best items of each member by a score, with ties that neither ids nor order can break."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys.features.visits import Codes

CHUNK = 64
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Places:
    """(n,) places of members and items."""

    rows: Codes
    columns: Codes


def hashes(names: "np.ndarray") -> Hashes:
    """(n,) pseudo-random numbers that come from texts alone."""
    return np.asarray(pd.util.hash_array(names), dtype=np.uint64)


@dataclass(frozen=True)
class Counts:
    """How many items are taken for a member: of all, and of those that the member never bought."""

    all: int
    new: int


def best(scores: "np.ndarray", own: csr_matrix, counts: Counts, ties: tuple[Hashes, Hashes], *, floor: float) -> Places:
    """Take each row's highest columns of all, and its highest of those that `own` does not hold.

    scores: (b, m); only scores above the floor are taken. own: (b, m), not 0 where the member bought the item.
    ties: (b,) and (m,) hashes of rows and columns, which order equal scores.
    """
    reach = max(counts.all, counts.new)
    if not scores.size or not reach:
        none = np.empty(0, dtype=np.int64)
        return Places(none, none)
    had = np.repeat(np.arange(len(scores)), np.diff(own.indptr)), own.indices.astype(np.int64)
    fresh = scores.copy()
    fresh[had] = -np.inf
    rows, columns = np.nonzero((fresh >= _reach(fresh, reach)) & (fresh > floor))
    first = _first(rows, columns, fresh[rows, columns], reach, ties)
    rows, columns = rows[first], columns[first]
    new = _first(rows, columns, fresh[rows, columns], counts.new, ties)
    worth = scores[had] > floor
    every = np.concatenate([rows, had[0][worth]]), np.concatenate([columns, had[1][worth]])
    top = _first(*every, scores[every], counts.all, ties)
    kept = np.union1d(new, top)
    return Places(every[0][kept], every[1][kept])


def _reach(scores: "np.ndarray", count: int) -> "np.ndarray":
    """(b, 1) a number that at least count scores of a row reach: the count-th highest of the highest of chunks."""
    rows, width = scores.shape
    chunks = -(-width // CHUNK)
    if chunks <= count:
        return np.full((rows, 1), -np.inf)
    whole = width - width % CHUNK
    highest = scores[:, :whole].reshape(rows, -1, CHUNK).max(axis=2)
    if whole < width:
        highest = np.concatenate([highest, scores[:, whole:].max(axis=1, keepdims=True)], axis=1)
    return np.partition(highest, chunks - count, axis=1)[:, [chunks - count]]


def _first(rows: Codes, columns: Codes, scores: "np.ndarray", count: int, ties: tuple[Hashes, Hashes]) -> Codes:
    """(k,) numbers of the count highest pairs of each row."""
    mixed = (ties[0][rows] ^ ties[1][columns]) * np.uint64(0x9E3779B97F4A7C15)
    order = np.lexsort((mixed, -scores, rows))
    starts = np.searchsorted(rows[order], rows[order])
    return order[np.arange(len(order)) - starts < count].astype(np.int64)
