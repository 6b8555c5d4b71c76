"""Arrays of one kind each, and what is done with groups of unequal length without a loop."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def within(counts: Ints) -> Ints:
    """Return numbers from 0 within each group: counts (2, 0, 3) give 0, 1, 0, 1, 2."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def running(values: Floats, counts: Ints) -> Floats:
    """Add up each group's values from its own start; values lie group after group, counts[i] of them in group i."""
    total = np.cumsum(values)
    starts = np.cumsum(counts) - counts
    before = np.where(starts > 0, total[np.maximum(starts - 1, 0)], 0.0) if len(total) else np.zeros(len(counts))
    return np.asarray(total - np.repeat(before, counts))


def drawn(rng: np.random.Generator, ladder: Floats, rows: Ints) -> Ints:
    """Draw a column for each of the (n,) rows of a (m, c) ladder of cumulative shares, whose last column is 1."""
    columns = ladder.shape[1]
    flat = (ladder + np.arange(len(ladder))[:, None]).ravel()
    found = np.searchsorted(flat, rows + rng.random(len(rows)), side="right")
    return np.asarray(np.clip(found - rows * columns, 0, columns - 1))


def ladder_of(shares: Floats) -> Floats:
    """Return cumulative shares along the last axis, its last entry exactly 1."""
    steps = np.cumsum(shares, axis=-1)
    steps /= steps[..., -1:]
    steps[..., -1] = 1.0
    return steps


def added(values: Floats, group: Ints, groups: int) -> Floats:
    """Return (groups,) sums of (n,) values by their group."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)
