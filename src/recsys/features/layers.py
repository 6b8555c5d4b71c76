"""Which members are drawn, where few are to speak for many."""

import numpy as np
import numpy.typing as npt


def in_layers(
    activity: "npt.NDArray[np.float64] | npt.NDArray[np.int64]", count: int, seed: int
) -> "npt.NDArray[np.int64]":
    """(count,) ascending places of (n,) members, a random one from each layer: every so-manieth in order of activity.

    So members who buy often and seldom are drawn in equal shares: systematic sampling of an ordered list (Cochran,
    Sampling Techniques, 3rd edition 1977, chapter 8). count must be at most n; members of equal activity come in an
    order of chance.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(activity)), activity))
    layers = ((np.arange(count) + rng.random()) * len(activity) / max(1, count)).astype(np.int64)
    return np.sort(order[layers])
