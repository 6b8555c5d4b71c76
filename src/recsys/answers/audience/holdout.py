"""Who of an audience is left alone, so that what the others do can be told from what they would have done anyway."""

from hashlib import blake2b

import numpy as np

STRATA = 10
"""Tenths by score; members without a score are a stratum of their own."""


def strata(score: "np.ndarray") -> "np.ndarray":
    """(n,) tenth of each score: 0 = the highest; members of equal scores share one; `STRATA` where there is no score.

    score: (n,) NaN = none.
    """
    scored = np.isfinite(score)
    if not scored.any():
        return np.full(len(score), STRATA, np.int64)
    edges = np.quantile(score[scored], np.arange(1, STRATA) / STRATA)
    return np.where(scored, STRATA - 1 - np.searchsorted(edges, score, side="right"), STRATA)


def hold_out(keys: "np.ndarray", score: "np.ndarray", audience_id: str, share: float) -> "np.ndarray":
    """(n,) true for members to leave alone: the share of every stratum, those whose draws are the lowest.

    A draw is a hash of the audience and the member, so whoever was held out in one version is, as a rule, in the next
    too, while another audience draws anew. The whole is the share of all members, rounded.
    keys: (n,) unsigned 64-bit hashes of the members' ids, unique. score: (n,) NaN = none. share: 0 to 1.
    """
    stratum = strata(score)
    order = np.lexsort((draws(keys, audience_id), stratum))
    sizes = np.bincount(stratum, minlength=STRATA + 1)
    ends = np.cumsum(sizes)
    quota = np.diff(np.rint(share * ends), prepend=0).astype(np.int64)
    place = np.arange(len(keys)) - np.repeat(ends - sizes, sizes)
    held = np.zeros(len(keys), bool)
    held[order] = place < np.repeat(quota, sizes)
    return held


def draws(keys: "np.ndarray", audience_id: str) -> "np.ndarray":
    """(n,) unsigned 64-bit hashes of audience and member: SplitMix64's finaliser over both (Steele et al., 2014)."""
    seed = int.from_bytes(blake2b(audience_id.encode(), digest_size=8).digest(), "big")
    mixed: np.ndarray = keys.astype(np.uint64) ^ np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
