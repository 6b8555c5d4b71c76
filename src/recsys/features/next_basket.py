"""Next-basket methods of the literature, which look at how often items come and at what members alike buy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from recsys.core.config import Settings
from recsys.features.mixing import Block, Parts, parts_of, turned
from recsys.features.places import held, places_in
from recsys.features.visits import Codes, Visits

Matrix = np.ndarray[Any, np.dtype[np.float64]]

MULTIPLIED_AT_ONCE = 32


class TifuConfig(Settings):
    """Choices of TIFU-KNN; the names of the paper in brackets.

    neighbours: members averaged (k).
    group: baskets of a group, counted from the latest, so that the oldest group may be smaller.
    within, between: weight that a basket keeps for each later one of its group (r_b), and a group for each later group
        (r_g).
    alpha: weight of the member's own vector; the neighbours' mean has the rest.
    """

    neighbours: int = Field(default=300, ge=1)
    group: int = Field(default=1, ge=1)
    within: float = Field(default=1.0, gt=0, le=1)
    between: float = Field(default=0.95, gt=0, le=1)
    alpha: float = Field(default=0.5, ge=0, le=1)


class UpcfConfig(Settings):
    """Choices of UP-CF@r; the names of the paper in brackets.

    visits: latest baskets in which popularity is counted (r).
    asymmetry: share of the member's own items in the norm of the similarity, the neighbour's has the rest (alpha).
    locality: power of the similarity (q).
    """

    visits: int = Field(default=25, ge=1)
    asymmetry: float = Field(default=0.25, ge=0, le=1)
    locality: float = Field(default=10.0, gt=0)


@dataclass(frozen=True)
class Pool:
    """The members among whom neighbours are sought.

    members: (p,) codes. norms: (p,) squared lengths of the vectors; sizes: (p,) items ever bought.
    vectors, buyers: (m, p) of TIFU-KNN; ones where ever bought.
    frequency: (p, m) the vectors again, in single precision. popularity: (m, p) the shares of the latest baskets, to be
        mixed.
    """

    members: Codes
    norms: Matrix
    sizes: Matrix
    vectors: csr_matrix
    buyers: csr_matrix
    frequency: csr_matrix
    popularity: Parts


def pool_of(members: Codes, visits: Visits, tifu: TifuConfig, upcf: UpcfConfig) -> Pool:
    """Prepare the pool from its members' visits."""
    vectors, bought = frequency_vectors(visits, tifu), visits.bought()
    norms = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    sizes = np.asarray(bought.sum(axis=1), dtype=np.float64).ravel()
    by_item, popularity = vectors.T.tocsr(), recent_popularity(visits, upcf).T.tocsr()
    popularity.eliminate_zeros()
    buyers = bought.T.tocsr().astype(np.float32)
    return Pool(members, norms, sizes, by_item, buyers, vectors.astype(np.float32), parts_of(popularity))


def frequency_vectors(visits: Visits, config: TifuConfig) -> csr_matrix:
    """(n, items) personalised item frequencies with two decays.

    A member's baskets, ones where they hold an item, are cut into groups; a group is the mean of its baskets decayed
    within it, and the vector is the mean of the groups decayed from group to group.
    Source: Hu, He, Gao, Zhang, Modeling Personalized Item Frequency Information for Next-basket Recommendation
    (TIFU-KNN), SIGIR 2020, section 4.1.
    """
    counts = visits.counts[visits.rows]
    group, place = np.divmod(visits.ago, config.group)
    groups = -(-counts // config.group)
    size = np.minimum(config.group, counts - group * config.group)
    weights = config.within**place / size * config.between**group / groups
    return visits.matrix(weights)


def neighbour_weights(own: csr_matrix, members: Codes, pool: Pool, config: TifuConfig) -> csr_matrix:
    """(n, p) weights whose mix of frequencies is the mean of the vectors nearest to each own (n, items) one.

    Nearest by Euclid, the member's own left out.
    Source: as `frequency_vectors`, section 4.2; the prediction is alpha * own + (1 - alpha) * that mean.
    """
    nearness = _products(own, pool.vectors)
    nearness *= 2
    nearness -= np.asarray(own.multiply(own).sum(axis=1))
    nearness -= pool.norms
    nearness[_selves(members, pool)] = -np.inf
    count = min(config.neighbours, len(pool.members))
    first = len(pool.members) - count
    nearest = np.sort(np.argpartition(nearness, first, axis=1)[:, first:], axis=1)
    others = ~np.isneginf(np.take_along_axis(nearness, nearest, axis=1))
    lengths = others.sum(axis=1)
    weights = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    return csr_matrix((weights, nearest[others], np.append(0, np.cumsum(lengths))), shape=nearness.shape)


def recent_popularity(visits: Visits, config: UpcfConfig) -> csr_matrix:
    """(n, items) share of each member's latest baskets that hold an item: user-wise popularity @r.

    It holds a 0 where the member bought the item in older baskets alone.
    Source: Faggioli, Polato, Aiolli, Recency Aware Collaborative Filtering for Next Basket Recommendation, UMAP 2020.
    """
    weights = 1 / np.minimum(visits.counts, config.visits)[visits.rows]
    return visits.matrix(np.where(visits.ago < config.visits, weights, 0.0))


def alike_weights(bought: csr_matrix, members: Codes, pool: Pool, config: UpcfConfig) -> tuple[Block, Matrix]:
    """(p, n) weights whose mix of popularities is that among members alike, and (n,) what all weights added up to.

    The similarity of the sets of items ever bought, the ones of (n, items) bought, is
    |u and v| / (|u|**asymmetry * |v|**(1 - asymmetry)), and counts to the power of the locality. Divided by the sum of
    the weights, the member's own being 1, which changes no member's ranking. The prediction is the mix and the member's
    own popularity, divided alike: UP-CF@r.
    Source: as `recent_popularity`.
    """
    common = _products(bought.astype(np.float32), pool.buyers)
    sizes = np.asarray(bought.sum(axis=1)).ravel()
    weights = np.multiply.outer(sizes**config.asymmetry, pool.sizes ** (1 - config.asymmetry))
    np.divide(common, weights, out=weights, where=weights > 0)
    weights **= config.locality
    weights[_selves(members, pool)] = 0
    whole = 1 + weights.sum(axis=1)
    weights /= whole[:, None]
    return turned(weights), whole


def _selves(members: Codes, pool: Pool) -> tuple[Codes, Codes]:
    """(s,) rows and columns at which members meet themselves in the pool."""
    places = places_in(pool.members, members)
    rows = np.flatnonzero(places >= 0)
    return rows, places[rows]


def _products(own: csr_matrix, pool: csr_matrix) -> "np.ndarray":
    """(n, p) products of the vectors of (n, m) members and of the (m, p) pool, dense, as most are not 0.

    Members are taken few at once, so that what is added to stays near the processor. Items add up in their order.
    """
    products = np.empty((own.shape[0], pool.shape[1]), dtype=own.dtype)
    for start in range(0, own.shape[0], MULTIPLIED_AT_ONCE):
        some = own[start : start + MULTIPLIED_AT_ONCE]
        places = held(some)
        items, number = np.unique(places.columns, return_inverse=True)
        vectors = np.zeros((len(items), some.shape[0]), dtype=own.dtype)
        vectors[number, places.rows] = some.data
        products[start : start + MULTIPLIED_AT_ONCE] = (pool[items].T @ vectors).T
    return products
