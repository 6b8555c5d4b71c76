"""Pairs of members and items as places in matrices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.features.visits import Codes

Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Places:
    """(n,) rows, of members, and (n,) columns, of items; a column of -1 is an item outside the matrix."""

    rows: Codes
    columns: Codes

    def __getitem__(self, chosen: "np.ndarray") -> "Places":
        """Take those of a mask or of numbers."""
        return Places(self.rows[chosen], self.columns[chosen])


def places_in(codes: Codes, wanted: Codes) -> Codes:
    """(n,) places of wanted codes among unique ones, none below 0; -1 where they are not there, and for -1."""
    places = np.full(2 + max(int(codes.max(initial=-1)), int(wanted.max(initial=-1))), -1)
    places[codes] = np.arange(len(codes))
    return places[wanted]


def held(matrix: csr_matrix) -> Places:
    """Places of all that a matrix holds, by row."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return Places(rows, matrix.indices.astype(np.int64))


def dense_cells(scores: "np.ndarray", places: Places, unknown: float) -> "np.ndarray":
    """(n,) cells of a dense matrix in double precision; unknown outside."""
    values = np.full(len(places.rows), unknown)
    inside = places.columns >= 0
    known = places[inside]
    values[inside] = scores[known.rows, known.columns]
    return values
